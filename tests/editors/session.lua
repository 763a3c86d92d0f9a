-- A session with the server in two files: a mistake and its fix, a hover, a rename, completion and formatting, by
-- Neovim's own functions.
local function text(buffer)
  return table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, true), "\n") .. "\n"
end

local function wait(what, ready)
  assert(vim.wait(20000, ready, 10), "this did not come: " .. what)
end

-- Puts the cursor on the first letter of a text.
local function go(to)
  vim.api.nvim_win_set_cursor(0, { 1, 0 })
  assert(vim.fn.search("\\V" .. to, "c") > 0, "there is no " .. to)
end

local function replace(old, new)
  go(old)
  local line, column = unpack(vim.api.nvim_win_get_cursor(0))
  vim.api.nvim_buf_set_text(0, line - 1, column, line - 1, column + #old, { new })
end

-- The text of the window that floats, if one does.
local function floating()
  for _, window in ipairs(vim.api.nvim_list_wins()) do
    if vim.api.nvim_win_get_config(window).relative ~= "" then
      return text(vim.api.nvim_win_get_buf(window))
    end
  end
end

local function mistake_and_fix()
  replace("reader", "raeder")
  wait("a diagnostic", function()
    return #vim.diagnostic.get(0) > 0
  end)
  local all = vim.diagnostic.get(0)
  local given = all[1]
  assert(#all == 1 and given.code == "E0201" and given.message:find("raeder", 1, true), vim.inspect(all))
  assert(given.lnum == 9 and given.col == 22 and given.end_col == 28, vim.inspect(given))
  go("raeder")
  vim.ui.select = function(actions, options, choose)
    assert(options.format_item(actions[1]):find("reader", 1, true), vim.inspect(actions))
    choose(actions[1])
  end
  vim.lsp.buf.code_action()
  wait("the fix", function()
    return text(0):find("let h = home.words |> reader\n", 1, true) and #vim.diagnostic.get(0) == 0
  end)
end

local function hover()
  go("h |>")
  vim.lsp.buf.hover()
  wait("a hover", floating)
  assert(floating():find("home[words, 64]", 1, true), floating())
end

local function rename(other)
  go("reader")
  vim.lsp.buf.rename("encoder")
  wait("new names", function()
    return text(0):find("|> encoder\n", 1, true) and text(other):find("layer encoder = ", 1, true)
  end)
  assert(not text(0):find("reader", 1, true), text(0))
end

local function offered(position)
  local labels = {}
  for _, answer in pairs(assert(vim.lsp.buf_request_sync(0, "textDocument/completion", position, 20000))) do
    for _, item in ipairs(answer.result.items) do
      labels[item.label] = item.textEdit.newText
    end
  end
  return labels
end

local function complete()
  replace("mean_pool", "me")
  go("|> me")
  vim.api.nvim_win_set_cursor(0, { vim.fn.line("."), vim.fn.col("$") - 2 })
  local position = vim.lsp.util.make_position_params(0, "utf-16")
  position.position.character = position.position.character + 1
  local labels
  -- Neovim tells of changes in the other file a little later.
  wait("the new name", function()
    labels = offered(position)
    return labels.encoder == "encoder"
  end)
  assert(labels.mean_pool and not labels.home and not labels.reader, vim.inspect(labels))
  replace("|> me", "|> mean_pool")
end

local function format()
  local before = text(0)
  replace("let h = home", "let   h=home")
  if vim.lsp.buf.format then
    vim.lsp.buf.format({ timeout_ms = 20000 })
  else
    vim.lsp.buf.formatting_sync({}, 20000)
  end
  assert(text(0) == before, text(0))
end

local function session()
  vim.cmd("edit layers.mtl")
  local other = vim.api.nvim_get_current_buf()
  vim.cmd("edit program.mtl")
  mistake_and_fix()
  hover()
  rename(other)
  complete()
  format()
  wait("the end of all mistakes", function()
    return #vim.diagnostic.get() == 0
  end)
end

local fine, why = pcall(session)
io.stderr:write(fine and "all is well\n" or why .. "\n")
vim.cmd(fine and "qall!" or "cquit")
