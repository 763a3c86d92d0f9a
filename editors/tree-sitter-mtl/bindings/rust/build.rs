//! Compiles the generated parser and the scanner of words.

fn main() {
    let source = std::path::Path::new("src");
    let files = ["parser.c", "scanner.c"].map(|name| source.join(name));
    cc::Build::new().std("c11").include(source).files(&files).compile("tree-sitter-mtl");
    for file in files {
        println!("cargo:rerun-if-changed={}", file.display());
    }
}
