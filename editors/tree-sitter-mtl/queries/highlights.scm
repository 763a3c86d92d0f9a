; The names of captures are those that Neovim, Helix and `tree-sitter highlight` all know, by
; themselves or by their first part; but Helix calls `@property` `@variable.other.member`. No node
; has two, so that the order of patterns, which each reads in its own way, means nothing.

[
  "use" "run" "as" "const" "data" "field" "layer" "def" "let" "task" "loss" "metric" "train" "stage" "for" "in" "from"
  "of"
] @keyword

(doc_comment) @comment.line.documentation
(comment) @comment
(number) @constant.numeric
(boolean) @constant.builtin.boolean
(string) @string
(interpolation) @string.special
(escape_sequence) @constant.character.escape

["|>" "->" "=" "+" "-" "*"] @operator
["(" ")" "[" "]" "{" "}" "|"] @punctuation.bracket
["," ":" "."] @punctuation.delimiter

; ---- what is declared ----
(const_item name: (identifier) @constant)
(data_item name: (identifier) @type)
(layer_item name: (identifier) @function)
(def_item name: (identifier) @function)
(let_item name: (identifier) @variable)
(names name: (identifier) @variable)
(task_item name: (identifier) @function)
(loss_item name: (identifier) @function)
(metric_item name: (identifier) @function)
(use_item name: (identifier) @function)
(stage name: (identifier) @function)
(field name: (identifier) @variable.other.member)
(parameter name: (identifier) @variable.parameter)
(for_item name: (identifier) @variable.parameter)
(for_stage name: (identifier) @variable.parameter)
(loop_names (identifier) @variable.parameter)
(index_names (identifier) @variable.parameter)

; ---- what is read ----
(field_type name: (identifier) @type)
(task_kind name: (identifier) @type)
(call_expression function: (identifier) @function)
(call_expression function: (index_expression object: (identifier) @function))
(pipe_expression function: (identifier) @function)
(pipe_expression function: (index_expression object: (identifier) @function))
(member_expression member: (identifier) @variable.other.member)
(argument name: (identifier) @variable.parameter)
(share whole: (identifier) @property)
(setting name: (identifier) @property)
