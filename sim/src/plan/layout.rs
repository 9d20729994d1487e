//! How a plan is laid out as text: what fits a line stands in one, so a step is a line.

use serde_json::Value;

use super::{Plan, PlanError};

/// Columns that a value may fill before it is broken over lines.
const WIDTH: usize = 140;

impl Plan {
    /// Reads and validates a plan; `file` names it in errors.
    pub fn from_json(text: &str, file: &str) -> Result<Plan, PlanError> {
        let plan: Plan = serde_json::from_str(text)
            .map_err(|source| PlanError::Json { file: file.to_owned(), source })?;
        plan.validate().map_err(|flaw| PlanError::Flaw { file: file.to_owned(), flaw })?;
        Ok(plan)
    }

    /// The plan as JSON text, every default spelled out, that [`from_json`](Plan::from_json)
    /// reads back.
    pub fn to_json_pretty(&self) -> String {
        pretty(&serde_json::to_value(self).expect("a plan's keys are strings"))
    }
}

/// JSON text, laid out like a plan.
pub(crate) fn pretty(value: &Value) -> String {
    let mut out = String::new();
    lay_out(value, 0, &mut out);
    out.push('\n');
    out
}

fn lay_out(value: &Value, indent: usize, out: &mut String) {
    let mut line = String::new();
    one_line(value, &mut line);
    // The top level is always broken up.
    let fits = indent > 0 && indent + line.len() <= WIDTH;
    let (open, close) = match value {
        Value::Array(items) if !fits && !items.is_empty() => ('[', ']'),
        Value::Object(fields) if !fits && !fields.is_empty() => ('{', '}'),
        _ => return out.push_str(&line),
    };
    out.push(open);
    for (place, (key, item)) in children(value).into_iter().enumerate() {
        out.push_str(if place == 0 { "\n" } else { ",\n" });
        out.extend(std::iter::repeat_n(' ', indent + 2));
        put_key(key, out);
        lay_out(item, indent + 2, out);
    }
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
    out.push(close);
}

fn one_line(value: &Value, out: &mut String) {
    let (open, close) = match value {
        Value::Array(_) => ('[', ']'),
        Value::Object(_) => ('{', '}'),
        scalar => return out.push_str(&scalar.to_string()),
    };
    out.push(open);
    for (place, (key, item)) in children(value).into_iter().enumerate() {
        out.push_str(if place == 0 { "" } else { ", " });
        put_key(key, out);
        one_line(item, out);
    }
    out.push(close);
}

fn children(value: &Value) -> Vec<(Option<&String>, &Value)> {
    match value {
        Value::Array(items) => items.iter().map(|item| (None, item)).collect(),
        Value::Object(fields) => fields.iter().map(|(key, item)| (Some(key), item)).collect(),
        _ => Vec::new(),
    }
}

fn put_key(key: Option<&String>, out: &mut String) {
    if let Some(key) = key {
        out.push_str(&Value::from(key.as_str()).to_string());
        out.push_str(": ");
    }
}
