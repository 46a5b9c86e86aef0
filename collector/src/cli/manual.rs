//! Manual pages: one for collector, and one for each verb.

use std::{fs, io, path::Path};

use anyhow::Context as _;
use clap::Command;
use clap_mangen::Man;

/// The page of a verb, or of collector itself.
pub(in crate::cli) fn page(command: Command, verb: Option<&str>) -> anyhow::Result<Vec<u8>> {
    let mut pages = pages(command);
    let wanted = verb.map_or_else(|| "collector".to_owned(), |verb| format!("collector-{verb}"));
    let names: Vec<String> =
        pages.iter().filter_map(|(name, _)| name.strip_prefix("collector-").map(str::to_owned)).collect();
    let found = pages.iter().position(|(name, _)| *name == wanted).map(|index| pages.swap_remove(index));
    let (_, command) = found.with_context(|| {
        format!("there is no page of {:?}; pages are of {}", verb.unwrap_or_default(), names.join(", "))
    })?;
    Ok(render(&wanted, command)?)
}

/// Writes all pages to a directory: `collector.1`, `collector-run.1` and so on.
pub(in crate::cli) fn write_all(command: Command, directory: &Path) -> anyhow::Result<()> {
    for (name, command) in pages(command) {
        let file = directory.join(format!("{name}.1"));
        fs::write(&file, render(&name, command)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// The commands that have a page, with its name. `help` is clap's own and has none.
fn pages(mut command: Command) -> Vec<(String, Command)> {
    // Gives each verb the flags that hold for all.
    command.build();
    let verbs = command.get_subcommands().filter(|verb| verb.get_name() != "help");
    let mut pages: Vec<(String, Command)> =
        verbs.map(|verb| (format!("collector-{}", verb.get_name()), verb.clone())).collect();
    pages.insert(0, ("collector".to_owned(), command));
    pages
}

fn render(name: &str, command: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let source = concat!("collector ", env!("CARGO_PKG_VERSION"));
    Man::new(command).title(name).source(source).manual("collector").render(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::{page, pages};
    use crate::cli::args::Cli;

    #[test]
    fn each_verb_has_a_page_with_its_flags() {
        let text = |verb| String::from_utf8(page(Cli::command(), verb).unwrap()).unwrap();
        assert!(
            text(Some("run")).contains("ring\\-bytes") && text(Some("run")).contains("COLLECTOR_RING_BYTES")
        );
        assert!(text(Some("inspect")).contains("resolve"));
        for (name, _) in pages(Cli::command()).iter().skip(1) {
            // `collector-run(1)`, with roff's escape before the hyphen.
            let reference = format!("{}(1)", name.replace('-', "\\-"));
            assert!(text(None).contains(&reference), "{reference} in {}", text(None));
        }
    }

    #[test]
    fn a_verb_that_is_not_there_is_refused_with_those_that_are() {
        let error = page(Cli::command(), Some("nonsense")).unwrap_err().to_string();
        assert!(error.contains("nonsense") && error.contains("run, doctor"), "{error}");
    }
}
