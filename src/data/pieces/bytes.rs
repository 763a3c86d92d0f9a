//! Texts as words of bytes, which byte pairs are merged in.
//!
//! A byte is written as a character that can be seen, as GPT-2 has it (Radford et al. 2019): printable ones of
//! Latin-1 stand for themselves, the others for those from U+0100 on, so a space is `Ġ`. No character is unknown,
//! and any text comes back from its words exactly.

/// The character of each byte.
const CHARS: [char; 256] = chars();

const fn chars() -> [char; 256] {
    let mut chars = ['\0'; 256];
    let (mut byte, mut next) = (0, 0x100);
    while byte < 256 {
        let plain = matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        let code = if plain { byte as u32 } else { next };
        if !plain {
            next += 1;
        }
        chars[byte] = match char::from_u32(code) {
            Some(c) => c,
            None => '\0',
        };
        byte += 1;
    }
    chars
}

/// How many characters from U+0000 on may stand for a byte.
const KNOWN: usize = 0x144;

/// The byte of each character, 256 where it stands for none.
const BYTES: [u16; KNOWN] = {
    let mut bytes = [256; KNOWN];
    let mut byte = 0;
    while byte < 256 {
        bytes[CHARS[byte] as usize] = byte as u16;
        byte += 1;
    }
    bytes
};

/// The characters that stand for bytes.
pub fn alphabet() -> impl Iterator<Item = char> {
    CHARS.into_iter()
}

/// A text with a character for each byte.
pub fn seen(text: &str, out: &mut String) {
    out.extend(text.bytes().map(|byte| CHARS[usize::from(byte)]));
}

/// Adds the bytes that a piece stands for; a character that stands for none is its own.
pub fn bytes(piece: &str, out: &mut Vec<u8>) {
    for c in piece.chars() {
        match BYTES.get(c as usize).map(|byte| u8::try_from(*byte)) {
            Some(Ok(byte)) => out.push(byte),
            _ => out.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
}

/// What a character is to the borders of words.
#[derive(Clone, Copy, PartialEq)]
enum Class {
    Space,
    Letter,
    Digit,
    Other,
}

fn class(c: char) -> Class {
    match c {
        c if c.is_whitespace() => Class::Space,
        c if c.is_alphabetic() || matches!(c, '\u{300}'..='\u{36f}' | '\u{200d}') => Class::Letter,
        c if c.is_numeric() => Class::Digit,
        _ => Class::Other,
    }
}

/// The words of a text, which end to end are the text: runs of letters, of digits, of other marks and of white
/// space. A space before a run of another kind belongs to it, and an apostrophe between letters to their word.
pub fn words<'a>(text: &'a str, mut out: impl FnMut(&'a str)) {
    let mut chars = text.char_indices().map(|(at, c)| (at, c, class(c))).peekable();
    let mut start = 0;
    while let Some((_, first, mut run)) = chars.next() {
        if first == ' '
            && let Some((_, _, next)) = chars.next_if(|next| next.2 != Class::Space)
        {
            run = next;
        }
        while let Some(&(at, c, class)) = chars.peek() {
            let next = text[at + c.len_utf8()..].chars().next();
            let goes_on = match run {
                // The last space before a word is the word's.
                Class::Space => class == run && !(c == ' ' && next.is_some_and(|c| !c.is_whitespace())),
                Class::Letter if matches!(c, '\'' | '’') => next.is_some_and(|c| self::class(c) == Class::Letter),
                _ => class == run,
            };
            if !goes_on {
                break;
            }
            chars.next();
        }
        let end = chars.peek().map_or(text.len(), |next| next.0);
        out(&text[start..end]);
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        let mut out = Vec::new();
        words(text, |word| out.push(word));
        out
    }

    #[test]
    fn words_keep_the_space_before_them() {
        assert_eq!(cut(" two dogs, 12!"), [" two", " dogs", ",", " 12", "!"]);
        assert_eq!(cut("it's  l’eau' x"), ["it's", " ", " l’eau", "'", " x"]);
        assert_eq!(cut(" \t\n a \u{a0}b  "), [" \t\n", " a", " \u{a0}", "b", "  "]);
        assert_eq!(cut("<2de> 猫が"), ["<", "2", "de", ">", " 猫が"]);
        assert!(cut("").is_empty());
    }

    #[test]
    fn every_byte_has_a_character_of_its_own() {
        let all: std::collections::BTreeSet<char> = alphabet().collect();
        assert_eq!(all.len(), 256);
        let (mut text, mut back) = (String::new(), Vec::new());
        seen(" é\n", &mut text);
        assert_eq!(text, "ĠÃ©Ċ");
        bytes(&text, &mut back);
        assert_eq!(back, " é\n".as_bytes());
    }
}
