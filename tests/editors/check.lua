-- Looks at what the lines of `docs/editors.md` have made of a program with a misspelt field.
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
end

local fine, why = pcall(check)
io.stderr:write(fine and "all is well\n" or why .. "\n")
vim.cmd(fine and "qall!" or "cquit")
