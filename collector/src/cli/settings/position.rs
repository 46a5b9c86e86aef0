//! Where a key or a byte stands in a TOML file.

use toml::de::{DeTable, DeValue};

/// The line and the column, from 1 on, of a key such as `ring.bytes` in a file.
pub(in crate::cli) fn of_key(key: &str, text: &str) -> Option<(usize, usize)> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut at = None;
    for name in key.split('.') {
        let (found, value) = table.iter().find(|(found, _)| found.get_ref().as_ref() == name)?;
        at = Some(found.span().start);
        if let DeValue::Table(below) = value.get_ref() {
            table = below;
        }
    }
    Some(of_byte(text, at?))
}

/// The line and the column, from 1 on, of a byte of a file.
pub(in crate::cli) fn of_byte(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::of_key;

    #[test]
    fn a_key_has_the_position_where_it_stands() {
        let text = "# ü\nevents = []\n\n[ring]\n  bytes = 5\n[queue]\nevents = 0\n";
        assert_eq!(of_key("events", text), Some((2, 1)));
        assert_eq!(of_key("ring.bytes", text), Some((5, 3)));
        assert_eq!(of_key("queue.events", text), Some((7, 1)));
        assert_eq!(of_key("queue.bytes", text), None);
        assert_eq!(of_key("ring.bytes", "ring.bytes = 5"), Some((1, 6)));
    }
}
