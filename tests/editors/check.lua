-- Looks at what the lines of `docs/editors.md` have made of a program with a misspelt field.
local function ask(method, params)
  local found, why = vim.lsp.buf_request_sync(0, method, params, 20000)
  assert(found, method .. ": " .. tostring(why))
  local _, answer = next(found)
  assert(answer and not answer.error, method .. ": " .. vim.inspect(answer))
  return answer.result
end

-- The parameters of a request at the end of the first place of a text, with the cursor there.
local function at(text)
  vim.fn.cursor(1, 1)
  assert(vim.fn.search("\\V" .. text, "ceW") > 0, "there is no " .. text)
  return vim.lsp.util.make_position_params(0, "utf-16")
end

local function text()
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n")
end

local function mistakes(n)
  vim.wait(20000, function()
    return #vim.diagnostic.get(0) == n
  end, 10)
  local given = vim.diagnostic.get(0)
  assert(#given == n, n .. " mistakes, not " .. vim.inspect(given))
  return given
end

-- Mends the misspelt field by the fix that is offered.
local function fix()
  local params = at("utterence")
  local range = { start = params.position, ["end"] = params.position }
  local offered = ask("textDocument/codeAction", {
    textDocument = params.textDocument,
    range = range,
    context = { diagnostics = {} },
  })
  assert(#offered == 1 and offered[1].isPreferred, vim.inspect(offered))
  vim.lsp.util.apply_workspace_edit(offered[1].edit, "utf-16")
  mistakes(0)
  assert(not text():find("utterence"), text())
end

-- What is under the cursor, where it is declared and where it is read.
local function look()
  local hover = ask("textDocument/hover", at("|> reader"))
  assert(hover.contents.value:find("layer reader%(x%)"), vim.inspect(hover))
  local definition = ask("textDocument/definition", at("|> reader"))
  local place = definition[1] or definition
  assert(place.range.start.line == 16, vim.inspect(definition))
  local params = at("task intent")
  params.context = { includeDeclaration = true }
  assert(#ask("textDocument/references", params) == 4, "references of intent")
  local symbols = ask("textDocument/documentSymbol", { textDocument = params.textDocument })
  assert(symbols[1].name == "home" and #symbols[1].children == 3, vim.inspect(symbols[1]))
end

-- A new name, everywhere.
local function rename()
  local params = at("task intent")
  params.newName = "purpose"
  vim.lsp.util.apply_workspace_edit(ask("textDocument/rename", params), "utf-16")
  assert(text():find("purpose.label%(gold: 90%%%)") and text():find("classify%(home.intent%)"), text())
  mistakes(0)
end

-- A line that is typed, with what could stand there.
local function complete()
  local last = vim.api.nvim_buf_line_count(0)
  vim.api.nvim_buf_set_lines(0, last, last, false, { "metric both = mean(purpose." })
  vim.api.nvim_win_set_cursor(0, { last + 1, 26 })
  local params = vim.lsp.util.make_position_params(0, "utf-16")
  params.position.character = 27
  local labels = {}
  for _, item in ipairs(ask("textDocument/completion", params).items) do
    table.insert(labels, item.label)
  end
  assert(vim.deep_equal(labels, { "accuracy", "macro_f1" }), vim.inspect(labels))
  mistakes(1)
  vim.api.nvim_buf_set_lines(0, last, last + 1, false, { "metric both=mean( purpose.accuracy )" })
  mistakes(0)
end

-- The last line in the layout of the language.
local function format()
  local document = vim.lsp.util.make_text_document_params()
  local options = { tabSize = 2, insertSpaces = true }
  local edits = ask("textDocument/formatting", { textDocument = document, options = options })
  vim.lsp.util.apply_text_edits(edits, 0, "utf-16")
  assert(text():find("\nmetric both = mean%(purpose.accuracy%)"), text())
end

local function check()
  assert(vim.bo.filetype == "mtl", "the file type is " .. vim.bo.filetype)
  assert(vim.bo.commentstring == "// %s", "comments are " .. vim.bo.commentstring)
  assert(vim.treesitter.highlighter.active[vim.api.nvim_get_current_buf()], "there are no colours")
  local parser = vim.treesitter.get_parser(0, "mtl")
  assert(not parser:parse()[1]:root():has_error(), "the tree has errors")
  for _, name in ipairs({ "highlights", "folds", "indents", "locals", "tags" }) do
    local get = vim.treesitter.query and vim.treesitter.query.get or require("vim.treesitter.query").get_query
    assert(get("mtl", name), "no query " .. name)
  end
  if vim.env.SERVER ~= "there" then
    return
  end
  vim.wait(20000, function()
    return #vim.diagnostic.get(0) > 0
  end, 10)
  local given = vim.diagnostic.get(0)[1]
  assert(given, "there is no diagnostic")
  assert(given.code == "E0203" and given.message:find("utterence"), vim.inspect(given))
  fix()
  look()
  rename()
  complete()
  format()
end

local fine, why = pcall(check)
io.stderr:write(fine and "all is well\n" or why .. "\n")
vim.cmd(fine and "qall!" or "cquit")
