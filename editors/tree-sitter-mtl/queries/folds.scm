[(data_block) (train_block) (item_block) (stage_block) (let_block) (block) (arguments) (list)] @fold
