-- The lines of `docs/editors.md` that fit this Neovim; the others are read all the same.
local config = vim.fn.stdpath("config")
local new = assert(loadfile(config .. "/new.lua"))
local old = assert(loadfile(config .. "/old.lua"))
if vim.fn.has("nvim-0.11") == 1 then
  new()
else
  old()
end
dofile(config .. "/colours.lua")
