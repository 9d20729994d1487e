//! Failures as annotations that a CI server shows beside the change.

use std::io::Write;

use super::args::Annotations;
use super::kinds::Kind;
use super::report::Report;
use super::text::counted;

/// What a server shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// The file that it is about, if there is one.
    pub(crate) file: Option<String>,
    pub(crate) title: String,
    pub(crate) text: String,
}

/// Writes what `annotations` asks for to standard error, where the server looks for it too.
pub(crate) fn annotate(annotations: Annotations, notes: &[Note]) {
    let wanted = match annotations {
        Annotations::Github => true,
        Annotations::None => false,
        Annotations::Auto => on_github(),
    };
    if wanted {
        let lines: String = notes.iter().map(github).collect();
        // Nobody can be told if that fails.
        let _ = std::io::stderr().write_all(lines.as_bytes());
    }
}

/// One note per kind of failure, and one for each reason `why` too little was proved.
pub(crate) fn of_sweep(report: &Report, why: &[String]) -> Vec<Note> {
    let note = |kind: &Kind| Note {
        file: None,
        title: format!("{} ({})", kind.fingerprint.property(), kind.id),
        text: {
            let seeds = counted(kind.seeds, "seed");
            format!("{seeds}, first {}\n{}", kind.first, kind.soonest.told)
        },
    };
    let title = format!("cargo sim run{}", report.flags);
    let short = |why: &String| Note { file: None, title: title.clone(), text: why.clone() };
    report.failures.all().iter().map(note).chain(why.iter().map(short)).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "who reads the output is a matter of the environment"
)]
fn on_github() -> bool {
    std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true")
}

/// An error as workflow command.
fn github(note: &Note) -> String {
    let file = note.file.as_ref().map(|file| format!("file={},", property(file)));
    let file = file.unwrap_or_default();
    format!("::error {file}title={}::{}\n", property(&note.title), data(&note.text))
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
        let notes = of_sweep(&report(0, &[5, 3]), &[]);
        let lines: String = notes.iter().map(github).collect();
        assert_eq!(lines.lines().count(), 1, "{lines}");
        assert!(lines.starts_with("::error title=convergence ("), "{lines}");
        assert!(
            lines.contains("::2 seeds, first 0x0%0Aseed 0x2  failed: convergence%0A"),
            "{lines}"
        );
        let file = Some("a,b.json".to_owned());
        let lines = github(&Note { file, ..notes[0].clone() });
        assert!(lines.starts_with("::error file=a%2Cb.json,title=convergence ("), "{lines}");
        assert_eq!(property("a:b, 5 %\n"), "a%3Ab%2C 5 %25%0A");
    }

    #[test]
    fn a_sweep_that_proved_too_little_is_annotated() {
        let empty = report(0, &[]);
        let lines: String =
            of_sweep(&empty, &empty.shortcomings(false)).iter().map(github).collect();
        assert!(lines.starts_with("::error title=cargo sim run::nothing was proved"), "{lines}");
    }
}
