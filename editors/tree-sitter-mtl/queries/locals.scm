; Items are known in the whole file, also before they are declared; parameters, the lets of a layer
; and the names of a loop in their item alone.

[(layer_item) (def_item) (for_item) (for_stage)] @local.scope

(parameter name: (identifier) @local.definition)
(let_block (let_item name: (identifier) @local.definition))
(let_block (let_item name: (names name: (identifier) @local.definition)))
(for_item name: (identifier) @local.definition)
(for_stage name: (identifier) @local.definition)
(loop_names (identifier) @local.definition)

(identifier) @local.reference
