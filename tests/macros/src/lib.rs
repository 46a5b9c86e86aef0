//! `#[live_test]`: registers a function with the harness of the live tests, `collector_tests::live`.
//!
//! It takes the place of `#[test]`. rustc's own harness cannot say that a test was skipped when only the
//! running test can know; the live harness can.

use proc_macro::{TokenStream, TokenTree};

/// Makes a function without arguments a live test. It is run only where the agent can run, beside other live tests.
///
/// Words in parentheses change this: `#[live_test(alone)]` runs it while no other live test runs;
/// `#[live_test(without_agent)]` runs it also where the agent cannot attach to the kernel.
///
/// Words are the methods of `collector_tests::live::LiveTest`, so the compiler refuses an unknown one.
#[proc_macro_attribute]
pub fn live_test(words: TokenStream, function: TokenStream) -> TokenStream {
    let registration = match name_of(function.clone()) {
        Some(name) => registration(&name, words),
        None => "::core::compile_error!(\"#[live_test] stands before a function\");".to_owned(),
    };
    // The function's own tokens stay as they are, so that what the compiler says of them points into the source.
    let registration: TokenStream = registration.parse().unwrap_or_default();
    function.into_iter().chain(registration).collect()
}

/// The identifier behind the first `fn` outside of brackets.
fn name_of(function: TokenStream) -> Option<String> {
    let mut tokens = function.into_iter();
    tokens.find(|token| matches!(token, TokenTree::Ident(word) if word.to_string() == "fn"))?;
    match tokens.next()? {
        TokenTree::Ident(name) => Some(name.to_string()),
        _ => None,
    }
}

fn registration(name: &str, words: TokenStream) -> String {
    let words = words.into_iter().filter(|token| !matches!(token, TokenTree::Punct(_)));
    let calls = words.fold(String::new(), |calls, word| format!("{calls}.{word}()"));
    format!(
        "::collector_tests::live::inventory::submit! {{
            ::collector_tests::live::LiveTest::new(::core::module_path!(), \"{name}\", {name}){calls}
        }}"
    )
}
