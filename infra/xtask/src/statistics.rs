//! What is said of many figures.

use std::time::Duration;

/// The figure in the middle; of an even number of them, what lies between the two in the middle. Not a number where there is none.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.get(middle) {
        None => f64::NAN,
        Some(upper) if sorted.len().is_multiple_of(2) => f64::midpoint(sorted[middle - 1], *upper),
        Some(figure) => *figure,
    }
}

/// The shortest of the times, in order, that so many in a hundred do not exceed: the nearest rank.
pub(crate) fn percentile(sorted: &[Duration], share: usize) -> Duration {
    let rank = (sorted.len() * share).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_two() {
        let cases: [(&[f64], f64); 4] =
            [(&[3.0], 3.0), (&[5.0, 1.0], 3.0), (&[9.0, 1.0, 2.0], 2.0), (&[4.0, 1.0, 9.0, 2.0], 3.0)];
        for (figures, expected) in cases {
            assert_eq!(median(figures.iter().copied()).to_bits(), expected.to_bits(), "{figures:?}");
        }
        assert!(median([]).is_nan());
    }

    #[test]
    fn one_in_a_hundred_is_beyond_the_99th() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        let at = |count: usize, share| percentile(&times[..count], share).as_millis();
        assert_eq!([at(100, 50), at(100, 99), at(100, 100)], [50, 99, 100]);
        assert_eq!([at(200, 50), at(200, 99)], [100, 198]);
        assert_eq!([at(1, 50), at(1, 99), at(3, 50), at(0, 99)], [1, 1, 2, 0]);
    }
}
