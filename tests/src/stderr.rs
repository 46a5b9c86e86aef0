//! What a program prints to people, while it prints it.

use std::{
    io::{BufRead, BufReader, Read},
    sync::{Arc, Condvar, Mutex},
    thread::{self, JoinHandle},
    time::Instant,
};

use crate::wait::PATIENCE;

/// A standard error that is being read.
#[derive(Debug)]
pub struct Stderr {
    printed: Arc<Printed>,
    reader: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Printed {
    text: Mutex<String>,
    news: Condvar,
}

impl Stderr {
    /// Reads this pipe until its end.
    pub fn of(pipe: impl Read + Send + 'static) -> Self {
        let printed = Arc::new(Printed::default());
        let shared = Arc::clone(&printed);
        let reader = thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n') {
                let line = line.unwrap();
                let mut text = shared.text.lock().unwrap();
                text.push_str(&String::from_utf8_lossy(&line));
                text.push('\n');
                shared.news.notify_all();
            }
        });
        Self { printed, reader }
    }

    /// Waits until this text has been printed.
    ///
    /// # Panics
    ///
    /// When it is not in time.
    #[track_caller]
    pub fn wait_for(&self, part: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut text = self.printed.text.lock().unwrap();
        while !text.contains(part) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited {PATIENCE:?} in vain for {part:?} in {text}");
            text = self.printed.news.wait_timeout(text, left).unwrap().0;
        }
    }

    /// All of it, once the program has closed it.
    pub fn finish(self) -> String {
        self.reader.join().unwrap();
        self.printed.text.lock().unwrap().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::Stderr;

    #[test]
    fn a_text_is_found_while_the_pipe_is_open_and_is_there_at_the_end() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let stderr = Stderr::of(reader);
        std::io::Write::write_all(&mut writer, b"one\ntwo\n").unwrap();
        stderr.wait_for("tw");
        drop(writer);
        assert_eq!(stderr.finish(), "one\ntwo\n");
    }
}
