//! A program as large as wanted.

use std::fmt::Write;

/// A program of about `lines` lines with everything that large programs have many of.
pub fn program(lines: usize) -> String {
    let mut text =
        String::from("const width = 32\nlayer words = embed(width) |> dropout(0.1)\nlayer reader = bilstm(width)\n");
    let mut block = 0;
    while text.lines().count() < lines {
        let b = block;
        writeln!(text, "data d{b} {{\n  format: lines\n  train: \"d{b}/train\"  dev: \"d{b}/dev\"").unwrap();
        writeln!(text, "  field words: text        from \"w\"\n  field tags:  tags(words) from \"t\"").unwrap();
        writeln!(text, "  field label: class       from \"l\"\n}}\nlet h{b} = d{b}.words |> words |> reader").unwrap();
        for n in 0..10 {
            let input = if n == 0 { format!("h{b}") } else { format!("v{b}_{}", n - 1) };
            writeln!(text, "layer l{b}_{n}(x) = concat(x, x |> linear(width)) |> mlp([width])").unwrap();
            writeln!(text, "let v{b}_{n} = {input} |> l{b}_{n} |> dropout(0.1)").unwrap();
            writeln!(text, "task t{b}_{n}: tag(d{b}.tags) = v{b}_{n} {{ head: crf  weight: 0.5 }}").unwrap();
            writeln!(text, "task c{b}_{n}: classify(d{b}.label) = concat(v{b}_{n}, t{b}_{n}.probs) |> mean_pool")
                .unwrap();
        }
        writeln!(text, "for k{b} in [a, b, c] {{\n  layer own{b}[k{b}] = linear(8)").unwrap();
        writeln!(text, "  task f{b}[k{b}]: classify(d{b}.label) = h{b} |> own{b}[k{b}] |> mean_pool\n}}").unwrap();
        block += 1;
    }
    text
}
