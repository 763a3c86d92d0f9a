//! The formatter: house style stays, the rest becomes it, and nothing that a text says is lost.

use mtlc::fmt::format;

/// The layout of a text that has no mistakes.
fn laid(text: &str) -> String {
    let formatted = format(text);
    assert!(formatted.diagnostics.is_empty(), "{:#?}", formatted.diagnostics);
    formatted.text
}

#[test]
fn blanks_are_where_they_belong() {
    let text = "let  x=a|>f( b,c :3 )|> g [ d ]\n";
    assert_eq!(format(text).diagnostics.len(), 1, "a blank before an index is a mistake");
    let text = "let  x=- a*( b+c )|>f( b,c :3 ,)|>g.train ( |d . e|-|f|,- 2)\r\n\r\n\r\n\r\nuse run\"r\"as t";
    let wanted = "let x = -a * (b + c) |> f(b, c: 3) |> g.train(|d.e| - |f|, -2)\r\n\r\nuse run \"r\" as t\r\n";
    assert_eq!(laid(text), wanted);
    assert_eq!(laid("for(a,b)in[(c,d)]{let(x,y)=(a,b)}"), "for (a, b) in [(c, d)] { let (x, y) = (a, b) }\n");
    assert_eq!(laid(" \n\n"), "");
    assert_eq!(laid("\u{FEFF}// so\n\n"), "\u{FEFF}// so\n");
}
