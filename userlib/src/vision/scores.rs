// SPDX-License-Identifier: MIT OR Apache-2.0

//! Scores of classes, and embeddings.

/// Turns scores into probabilities: all are positive and their sum is 1.
pub fn softmax(scores: &[f32]) -> Vec<f32> {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if !most.is_finite() {
        // Nothing can be said of scores that are no numbers.
        return vec![1.0 / scores.len().max(1) as f32; scores.len()];
    }
    let powers: Vec<f64> = scores
        .iter()
        .map(|score| f64::from(score - most).exp())
        .map(|power| if power.is_nan() { 0.0 } else { power })
        .collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| (power / sum) as f32).collect()
}

/// Returns the `count` largest numbers and where they are, the largest first; of equal ones the first.
pub fn top(scores: &[f32], count: usize) -> Vec<(usize, f32)> {
    let mut all: Vec<_> = scores.iter().copied().enumerate().collect();
    all.retain(|(_, score)| !score.is_nan());
    all.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    all.truncate(count);
    all
}

/// Gives a vector the length 1, so that the product of two is the cosine of their angle; one of zeros stays.
pub fn normalize(vector: &mut [f32]) {
    let square: f64 = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    let length = square.sqrt();
    if length > 0.0 {
        vector
            .iter_mut()
            .for_each(|x| *x = (f64::from(*x) / length) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities() {
        // numpy: e = exp([1, 2, 3] - 3); e / e.sum()
        let wanted = [0.090_030_57, 0.244_728_48, 0.665_240_94];
        for (have, want) in softmax(&[1.0, 2.0, 3.0]).iter().zip(wanted) {
            assert!((have - want).abs() < 1e-7, "{have}");
        }
        assert_eq!(softmax(&[1000.0, 1000.0]), [0.5, 0.5]);
        assert_eq!(softmax(&[f32::NAN, f32::NAN]), [0.5, 0.5]);
        assert!(softmax(&[]).is_empty());
        assert_eq!(top(&[0.1, f32::NAN, 0.7, 0.7], 2), [(2, 0.7), (3, 0.7)]);
        assert_eq!(top(&[1.0], 5).len(), 1);
    }

    #[test]
    fn lengths() {
        let mut vector = [3.0, -4.0];
        normalize(&mut vector);
        assert_eq!(vector, [0.6, -0.8]);
        let mut zeros = [0.0; 3];
        normalize(&mut zeros);
        assert_eq!(zeros, [0.0; 3]);
    }
}
