/// <reference types="tree-sitter-cli/dsl" />
// @ts-check
//
// The grammar of `.mtl` files for editors. `grammar/mtl.pest` is the one that the compiler reads;
// `tests/tree_sitter.rs` holds this one against it.
//
// Words come from `src/scanner.c`: what is a keyword is one everywhere, also where none fits, so
// that a line that is being typed does not take the next one for its own.

const KEYWORDS = [
  'use', 'const', 'data', 'field', 'layer', 'def', 'let', 'task', 'loss', 'metric', 'train', 'stage', 'for', 'in',
  'from',
];

/** One or more, with commas between them. */
const list1 = (rule) => seq(rule, repeat(seq(',', rule)));

/** A left-associative operation. */
const binary = ($, level, operator) =>
  prec.left(level, seq(field('left', $._sum), field('operator', operator), field('right', $._sum)));

/** Any number, with commas between them and perhaps after the last. */
const list = (rule) => optional(seq(list1(rule), optional(',')));

module.exports = grammar({
  name: 'mtl',

  extras: ($) => [/[ \t\r\n\uFEFF]/, $.comment, $.doc_comment],

  // In the order of `enum Token` in `src/scanner.c`.
  externals: ($) => [$.identifier, ...KEYWORDS, 'true', 'false', 'of', 'run', 'as', $.number],

  supertypes: ($) => [$._item, $._expression],

  rules: {
    source_file: ($) => repeat($._item),

    _item: ($) =>
      choice(
        $.use_item,
        $.const_item,
        $.data_item,
        $.layer_item,
        $.def_item,
        $.let_item,
        $.task_item,
        $.loss_item,
        $.metric_item,
        $.train_item,
        $.for_item,
      ),

    // ---- items ----
    use_item: ($) =>
      seq(
        'use',
        choice(field('path', $.string), seq('run', field('path', $.string), 'as', field('name', $.identifier))),
      ),

    const_item: ($) => seq('const', field('name', $.identifier), '=', field('value', $._expression)),

    data_item: ($) => seq('data', $._declared, field('body', $.data_block)),
    data_block: ($) => seq('{', repeat(choice($.field, $.setting)), '}'),
    // `from` after a type belongs to the field; it is no setting's name.
    field: ($) =>
      prec.right(
        seq(
          'field',
          field('name', $.identifier),
          ':',
          field('type', $.field_type),
          optional(choice($.source, seq('=', field('value', $._expression)))),
        ),
      ),
    field_type: ($) => seq(field('name', $.identifier), optional(field('arguments', $.arguments))),
    source: ($) => seq('from', list1(choice($.string, $.number, $.identifier))),

    layer_item: ($) =>
      seq(
        'layer',
        $._declared,
        optional(field('parameters', $.parameters)),
        optional(seq(':', field('type', $.signature))),
        '=',
        field('value', $._expression),
        optional(field('body', $.let_block)),
      ),
    def_item: ($) =>
      seq(
        'def',
        field('name', $.identifier),
        field('parameters', $.parameters),
        '=',
        field('value', $._expression),
        optional(field('body', $.let_block)),
      ),
    parameters: ($) => seq('(', list($.parameter), ')'),
    parameter: ($) => seq(field('name', $.identifier), optional(seq(':', field('default', $._expression)))),
    signature: ($) => seq(list1($.axes), '->', $.axes),
    axes: ($) => seq('[', optional(list1($._expression)), ']'),
    let_block: ($) => seq('{', repeat($.let_item), '}'),

    let_item: ($) =>
      seq('let', choice($._declared, field('name', $.names)), '=', field('value', $._expression)),
    names: ($) => seq('(', $._declared, repeat1(seq(',', $._declared)), ')'),

    task_item: ($) =>
      seq(
        'task',
        $._declared,
        ':',
        field('kind', $.task_kind),
        '=',
        field('value', $._expression),
        optional(field('body', $.block)),
      ),
    task_kind: ($) => seq(field('name', $.identifier), field('arguments', $.arguments)),

    loss_item: ($) =>
      seq('loss', $._declared, '=', field('value', $._expression), optional(field('body', $.block))),

    metric_item: ($) => seq('metric', $._declared, '=', field('value', $._expression)),

    train_item: ($) => seq('train', field('body', $.train_block)),
    train_block: ($) => seq('{', repeat(choice($.setting, $.stage, $.for_stage)), '}'),
    stage: ($) => seq('stage', $._declared, field('body', $.block)),
    for_stage: ($) => seq($._each, field('body', $.stage_block)),
    stage_block: ($) => seq('{', repeat($.stage), '}'),

    for_item: ($) => seq($._each, field('body', $.item_block)),
    item_block: ($) => seq('{', repeat($._item), '}'),
    _each: ($) => seq('for', field('name', choice($.identifier, $.loop_names)), 'in', field('over', $._expression)),
    loop_names: ($) => seq('(', $.identifier, repeat1(seq(',', $.identifier)), ')'),

    // A name that is declared, with those it is indexed by: `reviews[domain]`.
    _declared: ($) => seq(field('name', $.identifier), optional(field('index', $.index_names))),
    index_names: ($) => seq('[', list1($.identifier), ']'),

    // ---- settings ----
    block: ($) => seq('{', repeat($.setting), '}'),
    setting: ($) => seq(field('name', $._word), ':', field('value', $._expression)),

    // Before `:` and after `.` a keyword is an ordinary word.
    _word: ($) => choice($.identifier, ...[...KEYWORDS, 'true', 'false'].map((k) => alias(k, $.identifier))),

    // ---- expressions ----
    _expression: ($) => choice($.pipe_expression, $._sum),
    // Only a name or a call may follow `|>`.
    pipe_expression: ($) => seq(field('input', $._expression), '|>', field('function', choice($.identifier, $._suffixed))),

    _sum: ($) => choice($.binary_expression, $.unary_expression, $._primary),
    binary_expression: ($) => choice(binary($, 1, choice('+', '-')), binary($, 2, '*')),
    unary_expression: ($) => prec(3, seq('-', field('operand', $._primary))),

    _primary: ($) =>
      choice($.identifier, $._suffixed, $.tuple, $.list, $.size, $.share, $.number, $.string, $.boolean),
    _suffixed: ($) => choice($.call_expression, $.member_expression, $.index_expression),
    _base: ($) => choice($.identifier, $._suffixed, $.tuple),

    call_expression: ($) => seq(field('function', $._base), field('arguments', $.arguments)),
    arguments: ($) => seq('(', list(choice($.argument, $._expression)), ')'),
    argument: ($) => seq(field('name', $._word), ':', field('value', $._expression)),
    member_expression: ($) => seq(field('object', $._base), '.', field('member', $._word)),
    index_expression: ($) => seq(field('object', $._base), '[', list1($._expression), ']'),

    tuple: ($) => seq('(', list1($._expression), optional(','), ')'),
    list: ($) => seq('[', list($._expression), ']'),
    size: ($) => seq('|', field('of', choice($.identifier, $._suffixed)), '|'),
    share: ($) => seq(field('part', $.number), 'of', field('whole', $._word)),
    boolean: () => choice('true', 'false'),

    string: ($) =>
      seq('"', repeat(choice($.string_content, $.escape_sequence, $.interpolation)), token.immediate('"')),
    string_content: () => token.immediate(prec(1, /[^"\\{\r\n]+|\{/)),
    escape_sequence: () => token.immediate(/\\[^\r\n]/),
    // The name of a family's loop, or of another field.
    interpolation: () => token.immediate(prec(2, /\{[A-Za-z_][A-Za-z0-9_]*\}/)),

    // Three slashes, not four.
    doc_comment: () => token(/\/\/\/([^\/\r\n][^\r\n]*)?/),
    comment: () => token(/\/\/([^\/\r\n][^\r\n]*|\/\/[^\r\n]*)?/),
  },
});
