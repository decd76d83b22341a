// SPDX-License-Identifier: MIT OR Apache-2.0

//! Shape groups: which fixed shapes a model has.

use std::collections::BTreeMap;

/// Key of the metadata property with the shape groups.
pub const GROUPS_KEY: &str = "ax650.groups";

/// Shapes of the inputs of one group, by name.  An input that is not named has the model's shape.
pub type Group = BTreeMap<String, Vec<i64>>;

/// Most bytes of one tensor.
const MAX_ELEMENTS: i64 = 1 << 30;

/// Why shape groups cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// Not the JSON form of the module's description.
    #[error("shape groups are not a JSON list of objects with shapes: {0}")]
    Json(String),
    /// Not the command line form.
    #[error("{0:?} is not NAME:DxDx...[,NAME:DxDx...]")]
    Argument(String),
    /// An empty list.
    #[error("the list of shape groups is empty")]
    Empty,
    /// The group names an input that the model does not have.
    #[error("group {group} names {name:?}; the model's inputs are {inputs:?}")]
    NoInput {
        /// Index of the group.
        group: usize,
        /// The name.
        name: String,
        /// What the model has.
        inputs: Vec<String>,
    },
    /// The group's shape does not fit the model's.
    #[error(
        "group {group} gives {name:?} the shape {given:?}, the model has {model:?} (-1: dynamic)"
    )]
    Mismatch {
        /// Index of the group.
        group: usize,
        /// The input.
        name: String,
        /// The group's shape.
        given: Vec<i64>,
        /// The model's shape.
        model: Vec<i64>,
    },
    /// A dimension is dynamic and no group gives it.
    #[error(
        "input {name:?} has the shape {model:?}: dimension {dim} is dynamic, pin it with shape groups \
         (ax650-emu-model pin)"
    )]
    Dynamic {
        /// The input.
        name: String,
        /// The model's shape.
        model: Vec<i64>,
        /// Index of the dimension.
        dim: usize,
    },
    /// More than the card can hold.
    #[error("input {name:?} of the shape {shape:?} is too large")]
    TooLarge {
        /// The input.
        name: String,
        /// Its shape.
        shape: Vec<i64>,
    },
}

/// Reads the JSON form.
pub fn parse_groups(text: &str) -> Result<Vec<Group>, GroupError> {
    let groups: Vec<Group> =
        serde_json::from_str(text).map_err(|e| GroupError::Json(e.to_string()))?;
    if groups.is_empty() {
        return Err(GroupError::Empty);
    }
    Ok(groups)
}

/// Reads the command line form of one group: `NAME:DxDx...`, several joined by commas.
pub fn parse_group(text: &str) -> Result<Group, GroupError> {
    let bad = || GroupError::Argument(text.to_owned());
    let mut group = Group::new();
    for part in text.split(',') {
        // Names may have colons, shapes do not.
        let (name, shape) = part.rsplit_once(':').ok_or_else(bad)?;
        let shape: Result<Vec<i64>, _> = shape.split('x').map(str::parse).collect();
        let shape = shape.map_err(|_| bad())?;
        if name.is_empty()
            || shape.iter().any(|d| *d <= 0)
            || group.insert(name.to_owned(), shape).is_some()
        {
            return Err(bad());
        }
    }
    Ok(group)
}

/// The shapes of all inputs in all groups; `inputs` are the model's, with -1 for what is dynamic.
pub(crate) fn fix(
    inputs: &[(String, Vec<i64>)],
    groups: Option<&[Group]>,
) -> Result<Vec<Vec<Vec<i64>>>, GroupError> {
    let whole = [Group::new()];
    let groups = groups.unwrap_or(&whole);
    if groups.is_empty() {
        return Err(GroupError::Empty);
    }
    let fixed = groups.iter().enumerate().map(|(index, group)| {
        if let Some(name) = group
            .keys()
            .find(|name| inputs.iter().all(|(n, _)| n != *name))
        {
            return Err(GroupError::NoInput {
                group: index,
                name: name.clone(),
                inputs: inputs.iter().map(|(name, _)| name.clone()).collect(),
            });
        }
        let shapes = inputs.iter().map(|(name, model)| match group.get(name) {
            Some(given) => given_shape(index, name, given, model),
            None => own_shape(name, model),
        });
        shapes.collect()
    });
    fixed.collect()
}

fn given_shape(
    group: usize,
    name: &str,
    given: &[i64],
    model: &[i64],
) -> Result<Vec<i64>, GroupError> {
    let fits = |(given, model): (&i64, &i64)| *given > 0 && (*model < 0 || given == model);
    if given.len() != model.len() || !given.iter().zip(model).all(fits) {
        return Err(GroupError::Mismatch {
            group,
            name: name.to_owned(),
            given: given.to_vec(),
            model: model.to_vec(),
        });
    }
    check_size(name, given.to_vec())
}

fn own_shape(name: &str, model: &[i64]) -> Result<Vec<i64>, GroupError> {
    let mut shape = model.to_vec();
    if let Some(batch) = shape.first_mut().filter(|d| **d < 0) {
        *batch = 1;
    }
    // A dimension of 0 is as fixed as any: a tensor without elements.
    if let Some(dim) = shape.iter().position(|d| *d < 0) {
        return Err(GroupError::Dynamic {
            name: name.to_owned(),
            model: model.to_vec(),
            dim,
        });
    }
    check_size(name, shape)
}

fn check_size(name: &str, shape: Vec<i64>) -> Result<Vec<i64>, GroupError> {
    let elements = shape
        .iter()
        .try_fold(1_i64, |product, d| product.checked_mul(*d));
    if elements.is_none_or(|n| n > MAX_ELEMENTS) {
        return Err(GroupError::TooLarge {
            name: name.to_owned(),
            shape,
        });
    }
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Vec<(String, Vec<i64>)> {
        vec![("x".into(), vec![-1, 3, -1, -1]), ("k".into(), vec![-1, 5])]
    }

    #[test]
    fn groups_fix_what_is_dynamic() {
        let groups = parse_groups(r#"[{"x":[1,3,32,64]},{"x":[2,3,48,48],"k":[2,5]}]"#).unwrap();
        let fixed = fix(&model(), Some(&groups)).unwrap();
        assert_eq!(fixed[0], [vec![1, 3, 32, 64], vec![1, 5]]);
        assert_eq!(fixed[1], [vec![2, 3, 48, 48], vec![2, 5]]);
        assert_eq!(parse_group("x:1x3x32x64").unwrap(), groups[0]);
        assert_eq!(parse_group("x:2x3x48x48,k:2x5").unwrap(), groups[1]);
    }

    #[test]
    fn without_groups_only_the_first_dimension_may_be_dynamic() {
        assert!(matches!(
            fix(&model(), None),
            Err(GroupError::Dynamic { dim: 2, .. })
        ));
        assert_eq!(fix(&model()[1..], None).unwrap(), [[vec![1, 5]]]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (text, want) in [
            (r#"[{"y":[1]}]"#, "names \"y\""),
            (r#"[{"x":[1,3,32]}]"#, "gives \"x\""),
            (r#"[{"x":[1,4,32,32]}]"#, "gives \"x\""),
            (r#"[{"x":[1,3,0,32]}]"#, "gives \"x\""),
            (r#"[{"x":[1,3,1000000,1000000]}]"#, "too large"),
        ] {
            let error = fix(&model(), Some(&parse_groups(text).unwrap())).unwrap_err();
            assert!(error.to_string().contains(want), "{error}");
        }
        assert_eq!(parse_groups("[]"), Err(GroupError::Empty));
        assert!(matches!(parse_groups("{}"), Err(GroupError::Json(_))));
        for bad in ["", "x", "x:", "x:1x", "x:0", ":1", "x:1,x:1", "x:1y2"] {
            assert!(parse_group(bad).is_err(), "{bad}");
        }
    }
}
