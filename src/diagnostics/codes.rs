//! The table of diagnostic codes.
//!
//! The hundreds say which phase speaks: 01 syntax, 02 names, 03 arguments and settings, 04 types,
//! 05 tasks, losses and metrics, 06 the graph, 07 training, 08 data, 09 running (devices, runs,
//! checkpoints). `E` codes are errors, `W` codes warnings. Each has a page in `docs/errors/`.

use super::Severity;

/// A stable code such as `E0201`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

impl Code {
    /// Errors begin with `E`, warnings with `W`.
    pub fn severity(self) -> Severity {
        if self.0.starts_with('W') { Severity::Warning } else { Severity::Error }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal;)*) => {
        $(#[doc = $title] pub const $name: Code = Code($code);)*
        /// Every code with its title.
        pub const ALL: &[(Code, &str)] = &[$(($name, $title)),*];
    };
}

codes! {
    SYNTAX = "E0101", "a text that does not parse";
    UNCLOSED = "E0102", "a bracket or string that is never closed";
    BAD_NUMBER = "E0103", "a number that touches a letter or does not fit";
    TOO_DEEP = "E0104", "an expression nested too deeply";
    UNKNOWN_NAME = "E0201", "a name that nothing declares";
    DUPLICATE_NAME = "E0202", "a name declared twice";
    UNKNOWN_FIELD = "E0203", "a field, member or output that does not exist";
    WRONG_KIND = "E0204", "a name of another kind than is needed here";
    UNKNOWN_TYPE = "E0205", "a field type, task kind or word that does not exist";
    MISPLACED = "E0206", "an item or setting in the wrong place";
    BAD_USE = "E0207", "a file that cannot be used";
    UNKNOWN_ARGUMENT = "E0301", "an argument that the operation does not have";
    MISSING_ARGUMENT = "E0302", "an argument that is missing";
    BAD_ARGUMENT = "E0303", "an argument of the wrong kind or out of its range";
    UNKNOWN_SETTING = "E0304", "a setting that does not exist here";
    BAD_SETTING = "E0305", "a setting of the wrong kind or out of its range";
    DUPLICATE_SETTING = "E0306", "a setting or argument given twice";
    MISSING_SETTING = "E0307", "a setting that is missing";
    WRONG_INPUT = "E0401", "a value of a type that the operation does not take";
    AXIS_MISMATCH = "E0402", "values whose axes do not meet";
    EXAMPLE_MISMATCH = "E0403", "values of different data sets that meet";
    WIDTH_MISMATCH = "E0404", "widths that do not agree";
    SPACE_MISMATCH = "E0405", "label spaces that do not agree";
    NOT_A_VALUE = "E0406", "something that is no value where one is needed";
    SIGNATURE = "E0407", "a layer that does not have its stated type";
    TASK_INPUT = "E0501", "an input that does not fit the kind of task";
    TASK_GOLD = "E0502", "gold that does not fit the kind of task";
    TASK_METRIC = "E0503", "a metric that does not measure the task";
    TASK_HEAD = "E0504", "a head or loss that does not fit the task";
    NOT_SCALAR = "E0505", "a loss that is not a number";
    CYCLE = "E0601", "a cycle of definitions";
    GOLD_LEAK = "E0602", "gold that leaks into a prediction";
    NO_GRADIENT = "E0603", "a trained parameter that no gradient can reach";
    TRAIN = "E0701", "training that cannot be done as written";
    PATH = "E0702", "a parameter path that names nothing";
    NOT_RUN_YET = "E0703", "an operation this build checks but does not run yet";
    DATA_FILE = "E0801", "a data file that is missing or cannot be read";
    DATA_EXAMPLE = "E0802", "a malformed example";
    DATA_COLUMN = "E0803", "a column or key that the data does not have";
    DATA_LABEL = "E0804", "labels that do not fit their declaration";
    DATA_EMPTY = "E0805", "a split without examples";
    DATA_ENCODING = "E0806", "a file that is not UTF-8";
    VECTORS = "E0807", "a file of word vectors that cannot be used";
    PRETRAINED = "E0808", "a pretrained encoder that cannot be used";
    TOKENIZER = "E0809", "a tokenizer that cannot be used";
    RUN_DIR = "E0901", "a run that cannot be read";
    CHECKPOINT = "E0902", "a checkpoint that is damaged";
    VERSION = "E0903", "a file made by another version of mtlc";
    OUTPUT = "E0904", "a file that cannot be written";
    DEVICE = "E0905", "a device that cannot be used";
    NOT_FINITE = "E0906", "a loss or gradient that is not finite";
    INTERRUPTED = "E0907", "a training that was interrupted";
    INPUT = "E0908", "an input that cannot be read";
    OVERRIDE = "E0909", "a `--set` that does not fit";
    CHANGED = "E0910", "a run that is resumed with something else";
    BUG = "E0999", "a mistake in mtlc itself";
    UNUSED = "W0201", "a layer or value that nothing uses";
    UNREACHED = "W0601", "parameters that no loss can reach";
    NOTHING_SHARED = "W0602", "tasks that share no parameter";
    NOT_REVERSED = "W0603", "an adversary whose gradient is not reversed";
    MEMORY = "W0402", "memory past what the machine has";
    EXPOSURE = "W0604", "a task that is trained on gold and run on predictions";
    IDLE_METHOD = "W0701", "a way to balance that does not fit the program";
    PASSED_OVER = "W0702", "a task or data set that training passes over";
    UNSEEN_LABEL = "W0801", "a label in dev or test that train never has";
    LOOSE_TAGS = "W0803", "tags that are no well-formed BIO";
    ROOTS = "W0804", "heads that form no tree";
    LEAK = "W0805", "test examples that stand in another training set";
    SKIPPED = "W0802", "examples that were left out";
    ZERO_GRADIENT = "W0901", "a parameter whose gradient stays zero";
    DAMAGED_CHECKPOINT = "W0902", "a damaged checkpoint that was passed over";
    NOTHING_TOLD_APART = "W0903", "a figure that told no epochs apart";
}

/// What helps against the mistakes of a code, where a mistake itself says nothing better.
const USUAL_HELP: &[(Code, &str)] = &[
    (UNKNOWN_NAME, "declare it, or mend its spelling"),
    (DUPLICATE_NAME, "give one of them another name"),
    (WRONG_KIND, "name something of the kind that is needed here"),
    (DUPLICATE_SETTING, "leave one of them out"),
    (EXAMPLE_MISMATCH, "name values of one data set"),
    (SPACE_MISMATCH, "leave `head` out, or give both fields one label space with `class(as: other.field)`"),
    (SIGNATURE, "change the stated type, or what the layer does"),
    (CYCLE, "cut one of these edges"),
    (PATH, "name a layer, a task, or a part of one such as `reader.bilstm`"),
    (NOT_RUN_YET, "leave it out, or use what this build runs: the reference says which"),
    (
        DATA_COLUMN,
        "name a column or key that the file has, as in `from \"words\"`; numbers count from 0, as in `from 0`",
    ),
    (DATA_LABEL, "look at the column that the field reads, and at the type it is declared with"),
    (DATA_EMPTY, "name files that have examples, or take a smaller share"),
    (VECTORS, "each line holds a word and its numbers, with blanks between"),
    (PRETRAINED, "name a folder with `config.json`, `model.safetensors` and `tokenizer.json`"),
    (TOKENIZER, "name a `tokenizer.json` in the format of Hugging Face's `tokenizers`"),
    (SKIPPED, "mend them, or be content with the others"),
];

/// What helps against the mistakes of a code, if one thing does.
pub fn usual_help(code: Code) -> Option<&'static str> {
    USUAL_HELP.iter().find(|(known, _)| *known == code).map(|(_, help)| *help)
}

#[cfg(test)]
mod tests {
    #[test]
    fn codes_are_unique() {
        let mut seen = std::collections::HashSet::new();
        for (code, title) in super::ALL {
            assert!(seen.insert(code.0), "{code} stands twice");
            assert!(!title.ends_with('.'), "{title}");
        }
    }
}
