//! `tsv`: columns between tabs, without quoting.

use super::csv::{Table, table};
use super::{Entry, Input, Read, Records};
use crate::data::spec::Format;

/// The entry of the table.
pub const ENTRY: Entry = Entry { name: "tsv", is: |f| matches!(f, Format::Tsv), open };

fn open(input: Input<'_>) -> Read<Box<dyn Records>> {
    table(input, Table { separator: '\t', quoted: false, rest: false })
}
