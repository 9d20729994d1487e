//! Failures as annotations that a CI server shows beside the change.

use std::io::Write;

use super::args::Annotations;
use super::report::Report;

/// Writes what `annotations` asks for to standard error, where the server looks for it too.
pub(crate) fn annotate(annotations: Annotations, report: &Report) {
    let wanted = match annotations {
        Annotations::Github => true,
        Annotations::None => false,
        Annotations::Auto => on_github(),
    };
    if wanted {
        // Nobody can be told if that fails.
        let _ = std::io::stderr().write_all(github(report).as_bytes());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "who reads the output is a matter of the environment"
)]
fn on_github() -> bool {
    std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true")
}

/// One error per kind of failure, as workflow commands.
fn github(report: &Report) -> String {
    let mut lines = String::new();
    for kind in report.failures.all() {
        let title = property(&format!("{} ({})", kind.fingerprint.property(), kind.id));
        let text = format!("{} seeds, first {}\n{}", kind.seeds, kind.first, kind.soonest.told);
        lines += &format!("::error title={title}::{}\n", data(&text));
    }
    lines
}

/// Text after the command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A value within the command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    #[test]
    fn an_annotation_is_one_line_whatever_it_says() {
        let lines = github(&report(0, &[5, 3]));
        assert_eq!(lines.lines().count(), 1, "{lines}");
        assert!(lines.starts_with("::error title=convergence ("), "{lines}");
        assert!(
            lines.contains("::2 seeds, first 0x0%0Aseed 0x2  failed: convergence%0A"),
            "{lines}"
        );
        assert_eq!(property("a:b, 5 %\n"), "a%3Ab%2C 5 %25%0A");
    }
}
