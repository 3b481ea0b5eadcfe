//! What a law says of a bijector that breaks it.

use crate::Error;
use std::fmt;

/// Which law.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Law {
    /// Whatever any law presumes: it takes the images it is given, and its Jacobian is square and finite.
    Evaluates,
    /// [`keeps_shapes`](super::keeps_shapes)
    Shapes,
    /// [`keeps_samples_apart`](super::keeps_samples_apart)
    Samples,
    /// [`round_trips`](super::round_trips)
    RoundTrip,
    /// [`agrees_with_itself`](super::agrees_with_itself)
    Itself,
    /// [`are_the_same_map`](super::are_the_same_map)
    SameMap,
    /// [`ladj_is_the_jacobians`](super::ladj_is_the_jacobians)
    Ladj,
    /// [`inverse_has_the_negative_ladj`](super::inverse_has_the_negative_ladj)
    InverseLadj,
    /// [`pull_back_is_the_gradient`](super::pull_back_is_the_gradient)
    Gradient,
    /// [`pull_back_agrees_with_kept`](super::pull_back_agrees_with_kept)
    KeptGradient,
    /// [`agrees_across_precisions`](super::agrees_across_precisions)
    Precision,
    /// [`jacobian_is_triangular`](super::jacobian_is_triangular)
    Triangular,
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Evaluates => "it takes its images and has a Jacobian",
            Self::Shapes => "it refuses the shapes it says it refuses, and no other",
            Self::Samples => "one image does not move another",
            Self::RoundTrip => "forward and inverse undo each other",
            Self::Itself => "its methods agree with each other",
            Self::SameMap => "it is the same map as the other",
            Self::Ladj => "ladj is ln |det| of the Jacobian",
            Self::InverseLadj => "the inverse has the negative ladj",
            Self::Gradient => "pull_back gives the gradient",
            Self::KeptGradient => "pull_back gives what pull_back_kept gives, and the input",
            Self::Precision => "f32 gives what f64 gives",
            Self::Triangular => "no element depends on a later one",
        })
    }
}

/// A law broken, or one that could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum Violation {
    /// Something is not what the law says.
    #[error("{bijector} breaks the law that {law}: {what} is {found:e}, not {expected:e} ± {bound:.1e}")]
    Broken {
        /// The law.
        law: Law,
        /// The bijector's kind.
        bijector: String,
        /// What was looked at.
        what: String,
        /// What it was.
        found: f64,
        /// What it should have been.
        expected: f64,
        /// How far it could have been from that.
        bound: f64,
    },
    /// A shape is not what the law says.
    #[error("{bijector} breaks the law that {law}: {what}: found {found}, expected {expected}")]
    Shape {
        /// The law.
        law: Law,
        /// The bijector's kind.
        bijector: String,
        /// What was looked at.
        what: String,
        /// What it gave.
        found: String,
        /// What it should have given.
        expected: String,
    },
    /// Nothing can be said here: numerical derivatives do not settle, for the images lie on a kink, as of a ReLU; or the
    /// bijector is too ill-conditioned to leave a correct digit. Other images will do; if none do, the bijector is not
    /// differentiable, or not fit for this precision.
    #[error("{bijector}: whether {law} cannot be told here: {why}")]
    Undecided {
        /// The law.
        law: Law,
        /// The bijector's kind.
        bijector: String,
        /// Why not.
        why: String,
    },
    /// The bijector failed.
    #[error("{bijector} failed while the law that {law} was checked: {source}")]
    Failed {
        /// The law.
        law: Law,
        /// The bijector's kind.
        bijector: String,
        /// What it said.
        source: Error,
    },
}

impl Violation {
    /// The law.
    pub fn law(&self) -> Law {
        match self {
            Self::Broken { law, .. } | Self::Shape { law, .. } => *law,
            Self::Undecided { law, .. } | Self::Failed { law, .. } => *law,
        }
    }
}

/// Says who broke which law.
pub(super) struct Judge {
    law: Law,
    bijector: String,
}

impl Judge {
    pub fn new(law: Law, bijector: &str) -> Self {
        Self { law, bijector: bijector.into() }
    }

    /// What the bijector gave, if it gave anything.
    pub fn ask<T>(&self, result: crate::Result<T>) -> Result<T, Violation> {
        result.map_err(|source| Violation::Failed { law: self.law, bijector: self.bijector.clone(), source })
    }

    /// Refuses numbers further than `bound` from what is expected; nothing is near NaN.
    pub fn near(&self, what: &str, found: &[f64], expected: &[f64], bound: f64) -> Result<(), Violation> {
        self.same(&format!("the length of {what}"), found.len(), expected.len())?;
        let near = |(found, expected): &(&f64, &f64)| (*found - *expected).abs() <= bound;
        match found.iter().zip(expected).enumerate().find(|(_, pair)| !near(pair)) {
            None => Ok(()),
            Some((i, (&found, &expected))) => Err(Violation::Broken {
                law: self.law,
                bijector: self.bijector.clone(),
                what: format!("{what}[{i}]"),
                found,
                expected,
                bound,
            }),
        }
    }

    /// Refuses what is not the same.
    pub fn same<T: PartialEq + fmt::Debug>(&self, what: &str, found: T, expected: T) -> Result<(), Violation> {
        if found == expected { Ok(()) } else { Err(self.not(what, &format!("{found:?}"), &format!("{expected:?}"))) }
    }

    /// `what` was `found` instead of `expected`.
    pub fn not(&self, what: &str, found: &str, expected: &str) -> Violation {
        Violation::Shape {
            law: self.law,
            bijector: self.bijector.clone(),
            what: what.into(),
            found: found.into(),
            expected: expected.into(),
        }
    }

    /// Nothing can be said.
    pub fn undecided(&self, why: impl Into<String>) -> Violation {
        Violation::Undecided { law: self.law, bijector: self.bijector.clone(), why: why.into() }
    }
}
