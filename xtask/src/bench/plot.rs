//! A bar chart as SVG: a row for each tool, with a bar and its figure.

use std::fmt::Write;

/// One bar.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) value: f64,
    /// The value as people read it.
    pub(super) label: String,
    /// The agent's bar has another colour.
    pub(super) ours: bool,
}

/// Bars with a title and one scale, which begins at 0.
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) bars: Vec<Bar>,
}

const WIDTH: f64 = 720.0;
const NAMES: f64 = 190.0;
const LABELS: f64 = 110.0;
const ROW: f64 = 24.0;
const TITLE: f64 = 34.0;

/// The whole picture. It has its own background, so that it can be read on light and dark pages.
pub(super) fn svg(panels: &[Panel], caption: &str) -> String {
    let mut body = String::new();
    let mut top = 8.0;
    for panel in panels {
        top = draw_panel(&mut body, panel, top);
    }
    top += 20.0;
    draw_text(&mut body, (12.0, top), 9.0, "#666", caption);
    let height = top + 12.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n{body}</svg>\n"
    )
}

fn draw_panel(body: &mut String, panel: &Panel, top: f64) -> f64 {
    draw_text(body, (12.0, top + 20.0), 14.0, "#111", &panel.title);
    let most = panel.bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let mut top = top + TITLE;
    for bar in &panel.bars {
        let len = (bar.value / most * (WIDTH - NAMES - LABELS)).max(1.0);
        let fill = if bar.ours { "#0a7f5a" } else { "#b8bec6" };
        draw_text(body, (12.0, top + 14.0), 12.0, "#333", &bar.name);
        // Writing to a string does not fail.
        let _ = writeln!(
            body,
            "<rect x=\"{NAMES}\" y=\"{top}\" width=\"{len:.1}\" height=\"18\" rx=\"2\" fill=\"{fill}\"/>"
        );
        draw_text(body, (NAMES + len + 6.0, top + 14.0), 12.0, "#333", &bar.label);
        top += ROW;
    }
    top
}

fn draw_text(body: &mut String, (x, y): (f64, f64), size: f64, fill: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ =
        writeln!(body, "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{fill}\">{text}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_the_width_and_text_is_escaped() {
        let bar =
            |name: &str, value| Bar { name: name.to_owned(), value, label: "l".to_owned(), ours: false };
        let panel = Panel { title: "a < b".to_owned(), bars: vec![bar("x", 1.0), bar("y", 2.0)] };
        let picture = svg(&[panel], "& more");
        assert!(picture.contains("width=\"210.0\"") && picture.contains("width=\"420.0\""), "{picture}");
        assert!(picture.contains("a &lt; b") && picture.contains("&amp; more"), "{picture}");
    }
}
