//! Tables as wide as the terminal.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Row, Table};

/// A table of at most `columns` with this header; what stands at the places `numbers` is aligned to the right.
pub(crate) fn table(
    columns: usize,
    header: impl Into<Row>,
    numbers: impl IntoIterator<Item = usize>,
) -> Table {
    let mut table = Table::new();
    table
        .load_preset(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(columns).unwrap_or(u16::MAX))
        .set_header(header);
    for place in numbers {
        let column = table.column_mut(place).expect("the header has it");
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
