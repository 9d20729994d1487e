//! Draws costs against numbers of peers, both on logarithmic axes.

use plotters::prelude::*;

use super::scale::Cost;

/// A picture cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the costs cannot be drawn: {0}")]
pub(crate) struct ChartError(String);

/// An SVG picture of the costs, with a line for what grows as the number of peers does.
pub(super) fn draw(costs: &[Cost]) -> Result<String, ChartError> {
    let mut svg = String::new();
    picture(SVGBackend::with_string(&mut svg, (900, 560)).into_drawing_area(), costs)
        .map_err(|reason| ChartError(reason.to_string()))?;
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn picture(area: Area<'_>, costs: &[Cost]) -> Result<(), Box<dyn std::error::Error>> {
    let points: Vec<(f64, f64)> =
        costs.iter().map(|cost| (cost.peers as f64, cost.cpu_ms_per_virtual_second)).collect();
    let Some(&(first, least)) = points.first() else { return Ok(()) };
    let last = points.iter().fold(first, |most, point| most.max(point.0));
    let lowest = points.iter().fold(least, |low, point| low.min(point.1));
    let highest = points.iter().fold(least * last / first, |most, point| most.max(point.1));
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("Processor time for a virtual second", ("sans-serif", 22))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(
            (first * 0.9..last * 1.1).log_scale(),
            (lowest * 0.8..highest * 1.25).log_scale(),
        )?;
    chart
        .configure_mesh()
        .x_desc("peers")
        .y_desc("ms")
        .x_label_formatter(&|peers| format!("{peers:.0}"))
        .y_label_formatter(&|ms| format!("{ms}"))
        .draw()?;
    let linear = points.iter().map(|&(peers, _)| (peers, least * peers / first));
    chart
        .draw_series(LineSeries::new(linear, BLACK.mix(0.3)))?
        .label("as the number of peers")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], BLACK.mix(0.3)));
    chart
        .draw_series(LineSeries::new(points.clone(), BLUE.stroke_width(2)).point_size(4))?
        .label("measured")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], BLUE.stroke_width(2)));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .border_style(BLACK.mix(0.2))
        .background_style(WHITE)
        .draw()?;
    area.present()?;
    Ok(())
}
