; `@indent` and `@outdent` are Helix's names, `@indent.begin`, `@indent.branch` and `@indent.end`
; those of nvim-treesitter; each passes over the others'.

[
  (data_block) (train_block) (item_block) (stage_block) (let_block) (block)
  (arguments) (parameters) (list) (tuple)
] @indent @indent.begin

["}" ")" "]"] @outdent @indent.branch @indent.end
