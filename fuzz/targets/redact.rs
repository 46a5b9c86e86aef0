//! Any bytes as variables and arguments: secrets stay hidden, and everything else is shown unchanged.

#![no_main]

use collector::redact::{Mode, REDACTED, Redactor};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let names = ["*PASSWORD*", "KEY", "*_KEY", "TOKEN*", "*"].map(str::to_owned);
    let (some, all) = names.split_at(4);
    for (number, redactor) in [
        Redactor::new(Mode::Names, some, &[]),
        Redactor::new(Mode::Names, all, &[]),
        Redactor::new(Mode::Allow, some, some),
        Redactor::new(Mode::Off, all, &[]),
    ]
    .into_iter()
    .enumerate()
    {
        let mut before = None;
        for text in bytes.split(|&byte| byte == 0) {
            let (variable, hidden) = redactor.variable(text);
            check(text, &variable, hidden);
            let (argument, hidden) = redactor.argument(text, before);
            check(text, &argument, hidden);
            before = Some(text);
            if number < 3 && !text.contains(&b' ') {
                check_url(&redactor, text);
            }
        }
    }
});

/// A password in a URL is hidden whatever follows it.
fn check_url(redactor: &Redactor, argument: &[u8]) {
    let secret = b"pa:ss";
    if argument.windows(secret.len()).any(|window| window == secret) {
        return;
    }
    let url = [b"https://user:", &secret[..], b"@host/?", argument].concat();
    let (shown, hidden) = redactor.argument(&url, None);
    assert!(
        hidden && !shown.windows(secret.len()).any(|window| window == secret),
        "a password of a URL is shown"
    );
}

fn check(text: &[u8], shown: &[u8], hidden: bool) {
    assert!(hidden || shown == text, "what is not hidden is shown as it is");
    let mark = REDACTED.as_bytes();
    assert!(!hidden || shown.windows(mark.len()).any(|window| window == mark), "what is hidden is marked");
}
