//! A document of `pretty` as lines that know where their columns begin.

use pretty::{Arena, DocBuilder, Render, RenderAnnotated};

use super::WIDTH;
use super::align::{Anchor, Column};

/// What a part of a document is marked with.
#[derive(Clone, Copy, Debug)]
pub enum Mark<'a> {
    /// A column may begin here.
    Anchor(Anchor),
    /// A comment that ends the line; it takes no room when lines are broken.
    Comment(&'a str, Anchor),
}

/// A document.
pub type Doc<'a> = DocBuilder<'a, Arena<'a, Mark<'a>>, Mark<'a>>;

/// A line of text.
#[derive(Debug, Default)]
pub struct Line<'a> {
    /// Without the comment at its end.
    pub text: String,
    /// The columns that begin in it, by their offsets.
    pub anchors: Vec<(usize, Anchor)>,
    /// The comment at its end.
    pub comment: Option<&'a str>,
}

/// The lines of a document.
pub fn render<'a>(doc: &Doc<'a>) -> Vec<Line<'a>> {
    let mut out = Lines(vec![Line::default()]);
    // The one error there is, a document without a layout, is a mistake that the comparison with
    // the text finds.
    let _ = doc.1.render_raw(WIDTH, &mut out);
    for line in &mut out.0 {
        line.text.truncate(line.text.trim_end().len());
    }
    out.0
}

struct Lines<'a>(Vec<Line<'a>>);

impl Render for Lines<'_> {
    type Error = ();

    fn write_str(&mut self, s: &str) -> Result<usize, ()> {
        match (s, self.0.last_mut()) {
            ("\n", _) => self.0.push(Line::default()),
            (_, Some(line)) => line.text.push_str(s),
            (_, None) => {}
        }
        Ok(s.len())
    }

    fn fail_doc(&self) {}
}

impl<'b, 'a> RenderAnnotated<'b, Mark<'a>> for Lines<'a> {
    fn push_annotation(&mut self, mark: &'b Mark<'a>) -> Result<(), ()> {
        let Some(line) = self.0.last_mut() else { return Ok(()) };
        match *mark {
            // The first column of a kind is the line's own, others stand in a block on the line.
            Mark::Anchor(anchor) if line.anchors.iter().all(|(_, a)| a.column < anchor.column) => {
                line.anchors.push((line.text.len(), anchor));
            }
            Mark::Anchor(_) => {}
            Mark::Comment(comment, anchor) => {
                line.anchors.push((line.text.trim_end().len(), anchor));
                line.comment = Some(comment);
            }
        }
        Ok(())
    }

    fn pop_annotation(&mut self) -> Result<(), ()> {
        Ok(())
    }
}

/// Where a column may begin that the next one on its line comes after.
pub fn anchor(column: Column, (at, blanks): (usize, usize)) -> Anchor {
    Anchor { column, at, padded: blanks > column.gap() }
}
