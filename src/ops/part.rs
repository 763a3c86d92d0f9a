//! Operations that others lower to: no program calls them, and they take what the checker gives.

use super::Operation;
use super::signature::Signature;
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run};

/// One of them.
pub struct Part {
    /// Its name and documentation.
    pub signature: &'static Signature,
    /// Its tensor code.
    #[cfg(feature = "train")]
    pub run: fn(&Run<'_>, &[Value]) -> candle_core::Result<Value>,
}

/// Declares parts, each with its static, that of its signature, its name, its tensor code and its
/// documentation; and `OPS`, all of them.
macro_rules! parts {
    ($($item:ident, $sig:ident, $name:literal, $run:path, $doc:literal;)*) => {
        $(static $sig: $crate::ops::signature::Signature = $crate::ops::signature::Signature {
            name: $name,
            group: $crate::ops::signature::Group::Internal,
            doc: $doc,
            inputs: &[$crate::ops::signature::many("x")],
            args: &[],
        };
        #[doc = $doc]
        pub static $item: $crate::ops::part::Part = $crate::ops::part::Part {
            signature: &$sig,
            #[cfg(feature = "train")]
            run: $run,
        };)*
        /// All operations of this file.
        pub const OPS: &[&dyn $crate::ops::Operation] = &[$(&$item),*];
    };
}
pub(crate) use parts;

impl Operation for Part {
    fn signature(&self) -> &'static Signature {
        self.signature
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        (self.run)(run, inputs)
    }
}
