pub const CASES: &[ax650_test_kit::case::Case] = &[];
