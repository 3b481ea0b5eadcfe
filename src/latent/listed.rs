//! The two sides of a direction from a list of attributes.

use super::Attribute;
use crate::data::{Attributes, Images, Listed};
use crate::notation::suggestion;
use crate::{Error, Result};

/// Before the name of an attribute: pictures that lack it.
const NOT: &str = "no:";

impl Attribute {
    /// The pictures with and those without, from a list. Each side names attributes: pictures that have all of them, where
    /// `no:` before a name means pictures that lack it. `without` may name none: then it is all pictures that are listed
    /// and not with. `listed` is of `images` and perhaps more after them; at most `most` are taken of each side.
    ///
    /// # Errors
    /// [`Error::BadFile`] for an attribute that is not in the list; [`Error::Usage`] where a side is empty, or both are the
    /// same pictures.
    pub fn listed(
        attributes: &Attributes,
        listed: &Listed,
        images: &Images,
        (with, without): (&[String], &[String]),
        most: usize,
    ) -> Result<(Self, Self)> {
        let refuse = |reason: String| Err(Error::Usage(format!("{}: {reason}", attributes.path().display())));
        let side = |names: &[String]| Side::new(attributes, names);
        let with = side(with)?;
        let (those, name) = (listed.images(images.len(), |has| with.holds(has)), with.name.clone());
        let (others, other_name) = if without.is_empty() {
            (listed.images(images.len(), |has| !with.holds(has)), "all others".to_owned())
        } else {
            let without = side(without)?;
            (listed.images(images.len(), |has| without.holds(has)), without.name)
        };
        let count = listed.images(images.len(), |_| true).len();
        for (side, name) in [(&those, &name), (&others, &other_name)] {
            if side.is_empty() {
                return refuse(format!("of {count} pictures that are listed and can be taken, none is of `{name}`"));
            }
        }
        if those == others {
            let help = "leave out --without for the pictures that lack it";
            return refuse(format!("`{name}` and `{other_name}` are the same pictures; {help}"));
        }
        let take =
            |side: Vec<usize>, name| Ok::<_, Error>(Self { images: images.select(side.into_iter().take(most))?, name });
        Ok((take(those, name)?, take(others, other_name)?))
    }
}

/// Attributes that pictures have or lack.
struct Side {
    /// Columns of the list, and whether pictures have them.
    wanted: Vec<(usize, bool)>,
    name: String,
}

impl Side {
    fn new(attributes: &Attributes, names: &[String]) -> Result<Self> {
        let position = |name: &str| attributes.names().iter().position(|attribute| attribute == name);
        let column = |name: &String| {
            let lacked = name.strip_prefix(NOT).and_then(position).map(|column| (column, false));
            let column = position(name).map(|column| (column, true)).or(lacked);
            column.ok_or_else(|| {
                let bare = name.strip_prefix(NOT).unwrap_or(name);
                let help = suggestion(bare, attributes.names().iter().map(String::as_str));
                Error::bad_file(attributes.path(), format!("there is no attribute `{bare}`; {help}"))
            })
        };
        let wanted = names.iter().map(column).collect::<Result<Vec<_>>>()?;
        let word = |&(column, has): &(usize, bool)| {
            let name = attributes.names().get(column).map_or("", String::as_str);
            if has { name.to_owned() } else { format!("no {name}") }
        };
        let name = wanted.iter().map(word).collect::<Vec<_>>().join(" and ");
        Ok(Self { wanted, name })
    }

    fn holds(&self, has: &[bool]) -> bool {
        self.wanted.iter().all(|&(column, wanted)| has.get(column) == Some(&wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Levels of the two sides, and their names, of five images of which the last is not to be taken.
    fn sides(with: &[&str], without: &[&str], most: usize) -> std::result::Result<(Attribute, Attribute), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.csv");
        std::fs::write(&path, "image,Smiling,Young\n0,1,1\n1,1,0\n2,0,1\n3,0,0\n4,1,1\n").unwrap();
        let attributes = Attributes::read(&path).unwrap();
        let images = Images::new((0..4).collect(), [1, 1, 1], None).unwrap();
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let listed = attributes.of_numbers(5).unwrap();
        Attribute::listed(&attributes, &listed, &images, (&owned(with), &owned(without)), most)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_side_is_all_pictures_that_have_its_attributes_and_the_other_all_others() {
        for (with, without, expected, words) in [
            (&["Smiling"][..], &[][..], (&[0, 1][..], &[2, 3][..]), "Smiling − all others"),
            (&["Smiling", "Young"], &[], (&[0], &[1, 2, 3]), "Smiling and Young − all others"),
            (&["Smiling"], &["Young"], (&[0, 1], &[0, 2]), "Smiling − Young"),
            (&["Smiling", "Young"], &["no:Smiling", "Young"], (&[0], &[2]), "Smiling and Young − no Smiling and Young"),
        ] {
            let (a, b) = sides(with, without, 9).unwrap();
            assert_eq!(
                (&a.images.levels().unwrap()[..], &b.images.levels().unwrap()[..]),
                expected,
                "{with:?} {without:?}"
            );
            assert_eq!(format!("{} − {}", a.name, b.name), words);
        }
        assert_eq!(sides(&["Young"], &[], 1).unwrap().1.images.levels().unwrap()[..], [1], "at most one");
    }

    #[test]
    fn an_unknown_attribute_an_empty_side_and_two_that_are_one_are_refused() {
        let refused = |with: &[&str], without: &[&str]| sides(with, without, 9).unwrap_err();
        let unknown = refused(&["no:smilin"], &[]);
        assert!(
            unknown.ends_with("no attribute `smilin`; did you mean `Smiling`? there are: Smiling, Young"),
            "{unknown}"
        );
        assert!(refused(&["Smiling", "no:Smiling"], &[]).contains("none is of `Smiling and no Smiling`"));
        assert!(refused(&["Young"], &["Young"]).contains("are the same pictures; leave out --without"));
    }
}
