(const_item name: (identifier) @name) @definition.constant
(data_item name: (identifier) @name) @definition.class
(field name: (identifier) @name) @definition.field
(layer_item name: (identifier) @name) @definition.function
(def_item name: (identifier) @name) @definition.function
(source_file (let_item name: (identifier) @name) @definition.constant)
(item_block (let_item name: (identifier) @name) @definition.constant)
(task_item name: (identifier) @name) @definition.method
(loss_item name: (identifier) @name) @definition.method
(metric_item name: (identifier) @name) @definition.method
(stage name: (identifier) @name) @definition.module

(call_expression function: (identifier) @name) @reference.call
(pipe_expression function: (identifier) @name) @reference.call
