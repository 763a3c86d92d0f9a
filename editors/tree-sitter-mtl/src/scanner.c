// Words and numbers. A keyword is one wherever it stands, so that a line that is being typed does
// not take the keyword of the next for a name; a number that touches a letter is none.

#include "tree_sitter/parser.h"

#include <string.h>

// In the order of `externals` in `grammar.js`.
enum Token {
  IDENTIFIER,
  FIRST_KEYWORD, // `use`
  OF = FIRST_KEYWORD + 17,
  RUN,
  AS,
  NUMBER,
};

// The keywords, in the same order, and then the words that are keywords in one place only.
static const char *const WORDS[] = {
    "use",   "const", "data", "field", "layer", "def",  "let",   "task", "loss", "metric",
    "train", "stage", "for",  "in",    "from",  "true", "false", "of",   "run",  "as",
};
#define WORD_COUNT (sizeof WORDS / sizeof *WORDS)
#define LONGEST 6

static bool is_digit(int32_t c) { return c >= '0' && c <= '9'; }

static bool is_word(int32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

static void digits(TSLexer *lexer, bool lines) {
  while (is_digit(lexer->lookahead) || (lines && lexer->lookahead == '_')) {
    lexer->advance(lexer, false);
  }
  lexer->mark_end(lexer);
}

// `1_000`, `0.1`, `1e-3`, `10%`
static bool number(TSLexer *lexer) {
  lexer->result_symbol = NUMBER;
  digits(lexer, true);
  if (lexer->lookahead == '.') {
    lexer->advance(lexer, false);
    if (!is_digit(lexer->lookahead)) {
      return true;
    }
    digits(lexer, false);
  }
  if (lexer->lookahead == '%') {
    lexer->advance(lexer, false);
    lexer->mark_end(lexer);
  } else if (lexer->lookahead == 'e' || lexer->lookahead == 'E') {
    lexer->advance(lexer, false);
    if (lexer->lookahead == '+' || lexer->lookahead == '-') {
      lexer->advance(lexer, false);
    }
    if (!is_digit(lexer->lookahead)) {
      return false;
    }
    digits(lexer, false);
  }
  return !is_word(lexer->lookahead);
}

static unsigned token_of(const char *text, const bool *valid) {
  // While the parser recovers from an error, everything is valid.
  bool recovering = valid[OF] && valid[RUN];
  for (unsigned i = 0; i < WORD_COUNT; i++) {
    unsigned token = FIRST_KEYWORD + i;
    if (strcmp(text, WORDS[i]) == 0) {
      return token < OF || (valid[token] && !recovering) ? token : IDENTIFIER;
    }
  }
  return IDENTIFIER;
}

static bool word(TSLexer *lexer, const bool *valid) {
  char text[LONGEST + 2] = {0};
  for (unsigned at = 0; is_word(lexer->lookahead); at++) {
    if (at <= LONGEST) {
      text[at] = (char)lexer->lookahead;
    }
    lexer->advance(lexer, false);
  }
  lexer->mark_end(lexer);
  lexer->result_symbol = (TSSymbol)token_of(text, valid);
  return true;
}

static bool is_blank(int32_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0xFEFF; }

bool tree_sitter_mtl_external_scanner_scan(void *state, TSLexer *lexer, const bool *valid) {
  (void)state;
  while (is_blank(lexer->lookahead)) {
    lexer->advance(lexer, true);
  }
  if (is_digit(lexer->lookahead)) {
    return number(lexer);
  }
  return is_word(lexer->lookahead) && word(lexer, valid);
}

// There is no state to keep.
void *tree_sitter_mtl_external_scanner_create(void) { return NULL; }
void tree_sitter_mtl_external_scanner_destroy(void *state) { (void)state; }
unsigned tree_sitter_mtl_external_scanner_serialize(void *state, char *buffer) {
  (void)state;
  (void)buffer;
  return 0;
}
void tree_sitter_mtl_external_scanner_deserialize(void *state, const char *buffer, unsigned length) {
  (void)state;
  (void)buffer;
  (void)length;
}
