//! The signatures of kernels in their text, and the C that lets the emulator call them.

/// A kernel as its text declares it.
pub struct Signature {
    name: String,
    has_barriers: bool,
    /// The types of its parameters.
    parameters: Vec<String>,
}

impl Signature {
    /// A function that runs one thread, given the addresses of the arguments.
    pub fn trampoline(&self) -> String {
        let values: Vec<_> =
            self.parameters.iter().enumerate().map(|(i, kind)| format!("*({kind} *)arguments[{i}]")).collect();
        let (name, values) = (&self.name, values.join(", "));
        format!("static void emulated_{name}(void **arguments) {{ (void)arguments; {name}({values}); }}")
    }

    /// Its entry in the table of a module: a `struct emulated_kernel`.
    pub fn entry(&self) -> String {
        let letters: String = self.parameters.iter().map(|kind| if kind.contains('*') { 'p' } else { 'v' }).collect();
        let (name, barriers) = (&self.name, i32::from(self.has_barriers));
        format!("{{ \"{name}\", emulated_{name}, {barriers}, \"{letters}\" }}")
    }
}

/// The kernels of a text. Each is declared at the start of a line.
pub fn parse(text: &str) -> Result<Vec<Signature>, String> {
    let text = without_comments(text);
    let mut signatures = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let declared =
            ["KERNEL ", "BARRIER_KERNEL "].into_iter().find_map(|word| Some((word, rest.strip_prefix(word)?)));
        if let Some((word, declaration)) = declared {
            signatures.push(signature(declaration, word == "BARRIER_KERNEL ")?);
        }
        rest = rest.split_once('\n').map_or("", |(_, next)| next);
    }
    Ok(signatures)
}

/// `name(parameters) {`
fn signature(declaration: &str, has_barriers: bool) -> Result<Signature, String> {
    let first_line = declaration.lines().next().unwrap_or_default();
    let broken = || format!("not the declaration of a kernel: `{first_line}`");
    let (name, rest) = declaration.split_once('(').ok_or_else(broken)?;
    let (parameters, body) = rest.split_once(')').ok_or_else(broken)?;
    if !body.trim_start().starts_with('{') {
        return Err(broken());
    }
    let parameters = parameters.split(',').map(type_of).filter(|kind| !kind.is_empty()).collect();
    Ok(Signature { name: name.trim().into(), has_barriers, parameters })
}

/// A parameter's type: all but its name. `void` alone is no parameter.
fn type_of(parameter: &str) -> String {
    parameter.trim().trim_end_matches(|c: char| c.is_alphanumeric() || c == '_').trim().into()
}

fn without_comments(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("//").into_iter().chain(rest.find("/*")).min() {
        kept.push_str(&rest[..start]);
        let comment = &rest[start..];
        let end = if comment.starts_with("//") { comment.find('\n') } else { comment.find("*/").map(|end| end + 2) };
        rest = &comment[end.unwrap_or(comment.len())..];
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_called_with_the_types_of_its_parameters() {
        let text = "// KERNEL not(this) {\nDEVICE int helper(int x) { return x; }\nBARRIER_KERNEL scan(REAL *x, // here, too\n\
                    \tconst REAL *__restrict__ from,\n  index rows /* many */, unsigned long long seed)\n{\n}\nKERNEL none(void) {}\n";
        let signatures = parse(text).unwrap();
        assert_eq!(signatures.len(), 2);
        assert_eq!(
            signatures[0].trampoline(),
            "static void emulated_scan(void **arguments) { (void)arguments; scan(*(REAL * *)arguments[0], \
             *(const REAL *__restrict__ *)arguments[1], *(index *)arguments[2], *(unsigned long long *)arguments[3]); }"
        );
        assert_eq!(signatures[0].entry(), "{ \"scan\", emulated_scan, 1, \"ppvv\" }");
        assert_eq!(signatures[1].entry(), "{ \"none\", emulated_none, 0, \"\" }");
    }

    #[test]
    fn what_is_no_declaration_is_named() {
        let error = parse("KERNEL later(int x);\n").err().unwrap();
        assert!(error.contains("`later(int x);`"), "{error}");
    }
}
