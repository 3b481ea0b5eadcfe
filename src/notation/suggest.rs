//! The name that was probably meant.

/// The nearest of `names` to one that is unknown, if any is near: case and underscores do not count,
/// and a part of a name counts as near.
pub fn nearest<'a>(unknown: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let fold =
        |name: &str| name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let unknown = fold(unknown);
    let likeness = |name: &str| {
        let name = fold(name);
        let (short, long) = if name.len() < unknown.len() { (&name, &unknown) } else { (&unknown, &name) };
        let part = if short.len() >= 3 && long.contains(short.as_str()) { 0.85 } else { 0.0 };
        strsim::jaro_winkler(&name, &unknown).max(part)
    };
    names
        .into_iter()
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// What to say of an unknown name: the nearest right one, and all of them.
pub fn suggestion<'a>(unknown: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let all = names.clone().into_iter().collect::<Vec<_>>().join(", ");
    match nearest(unknown, names) {
        Some(name) => format!("did you mean `{name}`? there are: {all}"),
        None if all.is_empty() => "there are none".to_owned(),
        None => format!("there are: {all}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_meant() {
        let layers = ["ActNorm", "InvertibleConv", "AffineCoupling", "AdditiveCoupling", "Split", "Squeeze"];
        for (unknown, meant) in [
            ("Affinecoupling", "AffineCoupling"),
            ("affine", "AffineCoupling"),
            ("InvertibleConv1x1", "InvertibleConv"),
            ("act_norm", "ActNorm"),
            ("Sqeeze", "Squeeze"),
        ] {
            assert_eq!(nearest(unknown, layers), Some(meant));
        }
        assert_eq!(nearest("Fourier", layers), None);
        assert_eq!(nearest("", layers), None);
    }
}
