//! From items to what is seen: one task per program, that writes and asks.

mod conflict;
mod json;
mod style;
mod text;
mod ticket;

use std::io::{self, IsTerminal, Write};

use tokio::sync::mpsc;

use crate::command::Answer;
use crate::failure::{Failure, Result};
use crate::item::Item;

/// How output is wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Objects for scripts.
    pub(crate) json: bool,
    /// How the digits of a pairing are confirmed.
    pub(crate) confirm: Confirm,
    /// No QR code.
    pub(crate) no_qr: bool,
}

/// Who says that both devices show the same digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Confirm {
    /// A person at the terminal, or a line on stdin.
    #[default]
    Ask,
    /// Whoever has the ticket is taken in.
    Always,
}

/// Writes items to stdout.
pub(crate) struct Renderer {
    options: Options,
    text: text::Text,
}

impl Renderer {
    /// A renderer of one command's output.
    pub(crate) fn new(options: Options) -> Self {
        Renderer { options, text: text::Text::new() }
    }

    /// Writes items until there are no more, and answers what is asked.
    ///
    /// # Errors
    /// If stdout cannot be written to; see [`written`].
    pub(crate) async fn run(
        &mut self,
        mut items: mpsc::Receiver<Item>,
        answers: mpsc::Sender<Answer>,
    ) -> io::Result<()> {
        while let Some(item) = items.recv().await {
            let asked = match &item {
                Item::Fingerprint { digits, .. } => Some(digits.clone()),
                _ => None,
            };
            self.write(&item)?;
            if let Some(digits) = asked {
                let answer = self.confirm(&digits).await;
                let _ = answers.send(answer).await;
            }
        }
        self.text.finish(&mut io::stdout().lock())
    }

    fn write(&mut self, item: &Item) -> io::Result<()> {
        let out = &mut io::stdout().lock();
        match (item, self.options.json) {
            (Item::Document { text }, _) => out.write_all(text.as_bytes())?,
            (Item::Progress { .. }, false) => self.text.progress(item),
            (item, true) => json::write(item, out)?,
            (Item::Ticket { .. }, false) => ticket::write(item, &self.options, out)?,
            (item, false) => self.text.write(item, out)?,
        }
        out.flush()
    }

    async fn confirm(&self, digits: &str) -> Answer {
        let plain = |digits: &str| digits.chars().filter(char::is_ascii_digit).collect::<String>();
        match &self.options.confirm {
            Confirm::Always => Answer::Confirm,
            Confirm::Ask => {
                let terminal = io::stdin().is_terminal() && !self.options.json;
                let digits = plain(digits);
                // A thread of its own: the question may stand for minutes, and the network goes on.
                let (sender, answer) = tokio::sync::oneshot::channel();
                let ask = move || {
                    let _ = sender.send(ask(terminal, &digits));
                };
                let started = std::thread::Builder::new().name("question".to_owned()).spawn(ask);
                match started {
                    Ok(_) => answer.await.unwrap_or(Answer::Decline),
                    Err(_) => Answer::Decline,
                }
            }
        }
    }
}

/// Asks whoever sits there. Without a terminal a line is read: `yes`, or the digits of the other side.
fn ask(terminal: bool, digits: &str) -> Answer {
    if terminal {
        let question = dialoguer::Confirm::new()
            .with_prompt("Does the other device show the same digits?")
            .default(false);
        return match question.interact() {
            Ok(true) => Answer::Confirm,
            _ => Answer::Decline,
        };
    }
    let mut line = String::new();
    if io::BufRead::read_line(&mut io::Read::take(io::stdin().lock(), 256), &mut line).is_err() {
        return Answer::Decline;
    }
    let line = line.trim().to_lowercase();
    let said: String = line.chars().filter(char::is_ascii_digit).collect();
    match line == "y" || line == "yes" || said == digits {
        true => Answer::Confirm,
        false => Answer::Decline,
    }
}

/// What writing to stdout came to. That nobody reads any more is a quiet end.
pub(crate) fn written(result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write to stdout: {error}"))
                .next("what was written is not whole; see whether the disk is full"))
        }
        _ => Ok(()),
    }
}

/// Writes a failure to stderr.
pub(crate) fn failure(failure: &Failure, json: bool) {
    let mut err = io::stderr().lock();
    // Nobody is left to be told if this fails.
    let _ = match json {
        true => json::write_failure(failure, &mut err),
        false => {
            let width = style::width(false);
            failure.lines().iter().try_for_each(|line| {
                let indent = if line.starts_with("  next") { 8 } else { 2 };
                let wrapped = match width {
                    Some(width) => crate::text::wrap(line, width, indent),
                    None => vec![line.clone()],
                };
                wrapped.iter().try_for_each(|line| writeln!(err, "{}", style::error(line)))
            })
        }
    };
}
