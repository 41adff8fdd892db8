//! Lines on a page of fixed width: wrapping, hanging indents, padding, bars. Knows columns, and nothing of records.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Paint, Style, WIDTH};

/// A page in the making.
pub(super) struct Page {
    paint: Paint,
    text: String,
}

impl Page {
    pub(super) fn new(paint: Paint) -> Self {
        Self { paint, text: String::new() }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        self.paint.paint(style, text)
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A title above a section, with an empty line before it.
    pub(super) fn title(&mut self, title: &str) {
        self.blank();
        let title = self.paint(Style::Strong, title);
        self.line(&title);
    }

    /// A line that is known to fit; escape sequences have no width.
    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// `words` wrapped beside `lead`, which is painted already and takes `indent` columns.
    pub(super) fn hanging(&mut self, lead: &str, indent: usize, words: &str, style: Option<Style>) {
        for (number, line) in wrapped(words, WIDTH - indent).iter().enumerate() {
            let line = style.map_or_else(|| line.clone(), |style| self.paint(style, line));
            let before = if number == 0 { lead.to_owned() } else { " ".repeat(indent) };
            self.line(&format!("{before}{line}"));
        }
    }

    /// A name in a column of its own, and `words` wrapped beside it.
    pub(super) fn entry(&mut self, name: &str, words: &str) {
        const INDENT: usize = 14;
        let name = self.paint(Style::Dim, &padded(name, INDENT - 4));
        self.hanging(&format!("  {name}  "), INDENT, words, None);
    }
}

/// `text` with spaces to `width` columns, cut with an ellipsis if it is wider.
pub(super) fn padded(text: &str, width: usize) -> String {
    let fitting = fitted(text, width);
    let room = width - fitting.width();
    format!("{fitting}{}", " ".repeat(room))
}

/// The same, with the spaces in front.
pub(super) fn padded_left(text: &str, width: usize) -> String {
    let fitting = fitted(text, width);
    let room = width - fitting.width();
    format!("{}{fitting}", " ".repeat(room))
}

fn fitted(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (mut cut, _) = split_at_width(text, width - 1);
    cut.push('…');
    cut
}

/// Lines of at most `width` columns, broken at spaces where there are any.
pub(super) fn wrapped(words: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        let mut rest = word.to_owned();
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.width() + 1 + rest.width() <= width {
            line.push(' ');
            line.push_str(&rest);
            continue;
        }
        if !line.is_empty() {
            lines.push(String::new());
        }
        while rest.width() > width {
            let (head, tail) = split_at_width(&rest, width);
            *lines.last_mut().expect("there is always a line") = head;
            lines.push(String::new());
            rest = tail;
        }
        lines.last_mut().expect("there is always a line").push_str(&rest);
    }
    lines
}

fn split_at_width(text: &str, width: usize) -> (String, String) {
    let mut columns = 0;
    let cut = text.char_indices().find(|(_, character)| {
        columns += character.width().unwrap_or(0);
        columns > width
    });
    let (head, tail) = text.split_at(cut.map_or(text.len(), |(place, _)| place));
    (head.to_owned(), tail.to_owned())
}

/// A bar on a track of `width` columns, from `from` to `to`, both parts of 1. Whatever is not nothing shows.
pub(super) fn bar(from: f64, to: f64, width: usize) -> String {
    let column = |part: f64| (part.clamp(0.0, 1.0) * width as f64).round() as usize;
    let start = column(from).min(width - 1);
    let end = column(to).max(start + 1);
    format!("{}{}{}", " ".repeat(start), "━".repeat(end - start), " ".repeat(width - end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_wrap_at_spaces_and_long_ones_are_cut() {
        assert_eq!(wrapped("to be or not", 5), ["to be", "or", "not"]);
        assert_eq!(wrapped("a 12345678 b", 3), ["a", "123", "456", "78", "b"]);
        assert_eq!(wrapped("注文注文", 5), ["注文", "注文"]);
        assert_eq!(wrapped("", 5), [""]);
    }

    #[test]
    fn columns_are_filled_or_cut_to_their_width() {
        assert_eq!([padded("ab", 4), padded("abcdef", 4), padded_left("ab", 4)], ["ab  ", "abc…", "  ab"]);
        assert_eq!(padded("注文注文", 4).width(), 4);
    }

    #[test]
    fn bars_stay_on_their_track_and_are_never_invisible() {
        assert_eq!(bar(0.0, 0.5, 4), "━━  ");
        assert_eq!(bar(1.0, 1.0, 4), "   ━");
        assert_eq!(bar(0.5, 9.0, 4), "  ━━");
    }
}
