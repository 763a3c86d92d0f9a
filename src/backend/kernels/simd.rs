//! Elementwise functions on slices, compiled for AVX-512 and AVX2 besides the baseline and picked
//! at run time. Exact to a few units in the last place of f32.
//!
//! Coefficients: exp from Cephes (Moshier), tanh and erf from the rational approximations of
//! Eigen and XLA.

/// Defines a function whose body is also compiled for AVX-512 and AVX2, with `FMA` true where a
/// product and a sum are one instruction. Write loops in it as `for`: closures given to `for_each`
/// may not be inlined, and then stay at the baseline.
macro_rules! simd {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<const FMA: bool>($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
                fn widest($($arg: $ty),*) $(-> $ret)? {
                    body::<true>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn wide($($arg: $ty),*) $(-> $ret)? {
                    body::<true>($($arg),*)
                }
                match $crate::backend::kernels::simd::level() {
                    // SAFETY: the processor has what `widest` is compiled for.
                    $crate::backend::kernels::simd::Level::Avx512 => return unsafe { widest($($arg),*) },
                    // SAFETY: the processor has what `wide` is compiled for.
                    $crate::backend::kernels::simd::Level::Avx2 => return unsafe { wide($($arg),*) },
                    $crate::backend::kernels::simd::Level::Baseline => {}
                }
            }
            body::<{ cfg!(target_arch = "aarch64") }>($($arg),*)
        }
    };
}
pub(crate) use simd;

/// What the processor has.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// What every processor of its kind has.
    Baseline,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 as the widest functions need it.
    Avx512,
}

/// What this processor has.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn level() -> Level {
    use std::arch::is_x86_feature_detected as has;
    if !(has!("avx2") && has!("fma")) {
        Level::Baseline
    } else if has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl") {
        Level::Avx512
    } else {
        Level::Avx2
    }
}

/// `a b + c`, rounded once where `FMA`.
#[inline(always)]
pub(crate) fn fused<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Asks for the numbers at a place to be brought near, wherever it points.
#[inline(always)]
pub(super) fn prefetch(place: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which reads nothing; every processor of this kind knows it.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// e to the power of `x`, never 0 and never infinite.
#[inline(always)]
pub(super) fn exp_one<const FMA: bool>(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.3, 88.3);
    let shifted = fused::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = fused::<FMA>(n, 2.121_944_4e-4, fused::<FMA>(n, -0.693_359_4, x));
    let mut p = 1.987_569_1e-4;
    for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = fused::<FMA>(p, r, c);
    }
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    (fused::<FMA>(p * r, r, r) + 1.0) * power
}

/// Hyperbolic tangent of `x`.
#[inline(always)]
pub(super) fn tanh_one<const FMA: bool>(x: f32) -> f32 {
    let x = x.clamp(-7.905_311, 7.905_311);
    let s = x * x;
    let mut p = -2.760_768_5e-16;
    for c in [2.000_188e-13, -8.604_672e-11, 5.122_297e-8, 1.485_722_4e-5, 6.372_619_3e-4, 4.893_524_6e-3] {
        p = fused::<FMA>(p, s, c);
    }
    let mut q = 1.198_258_4e-6;
    for c in [1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3] {
        q = fused::<FMA>(q, s, c);
    }
    x * p / q
}

/// Logistic function of `x`.
#[inline(always)]
pub(super) fn sigmoid_one<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp_one::<FMA>(-x))
}

#[inline(always)]
fn erf_one<const FMA: bool>(x: f32) -> f32 {
    let x = x.clamp(-3.832_507, 3.832_507);
    let s = x * x;
    let mut p = 2.290_506_6e-4;
    for c in [3.408_291e-3, 5.095_569_6e-2, 1.852_083_2e-1, std::f32::consts::FRAC_2_SQRT_PI] {
        p = fused::<FMA>(p, s, c);
    }
    let mut q = -1.179_160_3e-7;
    for c in [2.354_796_6e-5, 1.017_962_5e-3, 1.407_047e-2, 1.109_850_5e-1, 4.974_692_5e-1, 1.0] {
        q = fused::<FMA>(q, s, c);
    }
    x * p / q
}

/// The normal distribution function.
#[inline(always)]
fn phi_one<const FMA: bool>(x: f32) -> f32 {
    0.5 + 0.5 * erf_one::<FMA>(x * std::f32::consts::FRAC_1_SQRT_2)
}

simd! {
    /// Adds `more` to `x`.
    pub fn add(x: &mut [f32], more: &[f32]) {
        for (x, y) in x.iter_mut().zip(more) {
            *x += y;
        }
    }
}

simd! {
    /// Adds `more` times `factor` to `x`.
    pub fn add_scaled(x: &mut [f32], factor: f32, more: &[f32]) {
        for (x, y) in x.iter_mut().zip(more) {
            *x += factor * y;
        }
    }
}

simd! {
    /// Adds each of `rows`, as wide as `sums`, to `sums`.
    pub fn add_rows(sums: &mut [f32], rows: &[f32]) {
        for row in rows.chunks_exact(sums.len().max(1)) {
            for (a, b) in sums.iter_mut().zip(row) {
                *a += b;
            }
        }
    }
}

simd! {
    /// The transpose of `x [rows, columns]`.
    pub fn transposed(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
        const BLOCK: usize = 16;
        let mut out = vec![0.0; rows * columns];
        for from in (0..rows).step_by(BLOCK) {
            for k in 0..columns {
                for j in from..(from + BLOCK).min(rows) {
                    out[k * rows + j] = x[j * columns + k];
                }
            }
        }
        out
    }
}

simd! {
    /// `max(x, 0)`; not a number stays so.
    pub fn relu(x: &mut [f32]) {
        for x in x {
            *x = if *x < 0.0 { 0.0 } else { *x };
        }
    }
}

simd! {
    /// Hyperbolic tangent.
    pub fn tanh(x: &mut [f32]) {
        for x in x {
            *x = tanh_one::<FMA>(*x);
        }
    }
}

simd! {
    /// Logistic function.
    pub fn sigmoid(x: &mut [f32]) {
        for x in x {
            *x = sigmoid_one::<FMA>(*x);
        }
    }
}

simd! {
    /// Exact GELU.
    pub fn gelu(x: &mut [f32]) {
        for x in x {
            *x *= phi_one::<FMA>(*x);
        }
    }
}

simd! {
    /// Multiplies `grad` by the derivative of relu, given its results.
    pub fn relu_gradient(y: &[f32], grad: &mut [f32]) {
        for (g, y) in grad.iter_mut().zip(y) {
            *g = if *y > 0.0 { *g } else { 0.0 };
        }
    }
}

simd! {
    /// Multiplies `grad` by the derivative of tanh, given its results.
    pub fn tanh_gradient(y: &[f32], grad: &mut [f32]) {
        for (g, y) in grad.iter_mut().zip(y) {
            *g *= 1.0 - y * y;
        }
    }
}

simd! {
    /// Multiplies `grad` by the derivative of the logistic function, given its results.
    pub fn sigmoid_gradient(y: &[f32], grad: &mut [f32]) {
        for (g, y) in grad.iter_mut().zip(y) {
            *g *= y * (1.0 - y);
        }
    }
}

simd! {
    /// Multiplies `grad` by the derivative of GELU, given its inputs.
    pub fn gelu_gradient(x: &[f32], grad: &mut [f32]) {
        const DENSITY: f32 = 0.398_942_3;
        for (g, x) in grad.iter_mut().zip(x) {
            *g *= phi_one::<FMA>(*x) + x * DENSITY * exp_one::<FMA>(-0.5 * x * x);
        }
    }
}

simd! {
    /// Softmax in place. An empty row stays empty.
    pub fn softmax(row: &mut [f32]) {
        let top = lanes(row, row, f32::MIN, |top, x, _| if x > top { x } else { top }, f32::max);
        for x in &mut *row {
            *x = exp_one::<FMA>(*x - top);
        }
        let total = lanes(row, row, 0.0, |sum, x, _| sum + x, |a, b| a + b);
        for x in &mut *row {
            *x /= total;
        }
    }
}

simd! {
    /// Turns a row into exp(x - top) with `top` its greatest number; gives that and their sum.
    pub fn exp_sum(row: &mut [f32]) -> (f32, f32) {
        let top = lanes(row, row, f32::MIN, |top, x, _| if x > top { x } else { top }, f32::max);
        for x in &mut *row {
            *x = exp_one::<FMA>(*x - top);
        }
        (top, lanes(row, row, 0.0, |sum, x, _| sum + x, |a, b| a + b))
    }
}

simd! {
    /// `x = factor * x - shift`.
    pub fn scale_shift(x: &mut [f32], factor: f32, shift: f32) {
        for x in x {
            *x = fused::<FMA>(factor, *x, -shift);
        }
    }
}

simd! {
    /// Σ x.
    pub fn sum(x: &[f32]) -> f32 {
        lanes(x, x, 0.0, |sum, x, _| sum + x, |a, b| a + b)
    }
}

simd! {
    /// `log Σ exp(x)`, with its numbers kept in range.
    pub fn log_sum_exp(x: &[f32]) -> f32 {
        let top = lanes(x, x, f32::MIN, |top, x, _| if x > top { x } else { top }, f32::max);
        lanes(x, x, 0.0, |sum, x, _| sum + exp_one::<FMA>(x - top), |a, b| a + b).ln() + top
    }
}

simd! {
    /// `grad = p * (grad - sum(p * grad))`: the gradient before a softmax with results `p`.
    pub fn softmax_gradient(p: &[f32], grad: &mut [f32]) {
        let level = lanes(p, grad, 0.0, |sum, p, g| sum + p * g, |a, b| a + b);
        for (g, p) in grad.iter_mut().zip(p) {
            *g = p * (*g - level);
        }
    }
}

simd! {
    /// Σ a b.
    pub fn dot(a: &[f32], b: &[f32]) -> f32 {
        lanes(a, b, 0.0, |sum, a, b| sum + a * b, |a, b| a + b)
    }
}

simd! {
    /// Where the greatest number is; of equals, the first. 0 for an empty row.
    pub fn greatest(x: &[f32]) -> usize {
        let (mut top, mut at) = ([f32::NEG_INFINITY; LANES], [0u32; LANES]);
        for first in (0..x.len() / LANES * LANES).step_by(LANES) {
            let x = load(x, first);
            for lane in 0..LANES {
                let more = x[lane] > top[lane];
                at[lane] = if more { first as u32 + lane as u32 } else { at[lane] };
                top[lane] = if more { x[lane] } else { top[lane] };
            }
        }
        let (mut best, mut most) = (u32::MAX, f32::NEG_INFINITY);
        for lane in 0..LANES {
            let first = top[lane] > most || (top[lane] == most && at[lane] < best);
            (most, best) = if first { (top[lane], at[lane]) } else { (most, best) };
        }
        for (i, x) in x.iter().enumerate().skip(x.len() / LANES * LANES) {
            (most, best) = if *x > most { (*x, i as u32) } else { (most, best) };
        }
        if (best as usize) < x.len() { best as usize } else { 0 }
    }
}

simd! {
    /// Σ x², in double precision.
    pub fn square_sum(x: &[f32]) -> f64 {
        let mut all = [0.0; 16];
        let (lanes, rest) = x.as_chunks::<16>();
        for numbers in lanes {
            for (sum, x) in all.iter_mut().zip(numbers) {
                *sum += f64::from(*x) * f64::from(*x);
            }
        }
        for (sum, x) in all.iter_mut().zip(rest) {
            *sum += f64::from(*x) * f64::from(*x);
        }
        all.iter().sum()
    }
}

/// Numbers that loops over several arrays hold at a time.
pub(super) const LANES: usize = 16;

/// The numbers of `x` from `at` on, 0 past its end.
#[inline(always)]
pub(super) fn load(x: &[f32], at: usize) -> [f32; LANES] {
    match x[at..].first_chunk() {
        Some(numbers) => *numbers,
        None => {
            let mut numbers = [0.0; LANES];
            numbers[..x.len() - at].copy_from_slice(&x[at..]);
            numbers
        }
    }
}

/// Puts numbers at `at` of `x`, as many as there is room for.
#[inline(always)]
pub(super) fn store(numbers: &[f32; LANES], x: &mut [f32], at: usize) {
    let most = LANES.min(x.len() - at);
    match x[at..].first_chunk_mut() {
        Some(whole) => *whole = *numbers,
        None => x[at..].copy_from_slice(&numbers[..most]),
    }
}

/// Folds pairs in sixteen lanes, so that it vectorises (and sums round less), then the lanes.
#[inline(always)]
pub(super) fn lanes(
    a: &[f32],
    b: &[f32],
    start: f32,
    step: impl Fn(f32, f32, f32) -> f32,
    join: impl Fn(f32, f32) -> f32,
) -> f32 {
    let mut all = [start; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            all[lane] = step(all[lane], a[lane], b[lane]);
        }
    }
    for lane in 0..a_rest.len().min(b_rest.len()) {
        all[lane] = step(all[lane], a_rest[lane], b_rest[lane]);
    }
    let mut total = start;
    for lane in all {
        total = join(total, lane);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(one: fn(f32) -> f32, reference: fn(f64) -> f64, from: f32, to: f32) {
        for i in 0..=4000 {
            let x = from + (to - from) * i as f32 / 4000.0;
            let (got, expected) = (f64::from(one(x)), reference(f64::from(x)));
            assert!((got - expected).abs() <= 4e-7 * expected.abs().max(1e-30), "{x}: {got} for {expected}");
        }
    }

    #[test]
    fn functions_match_double_precision() {
        close(exp_one::<true>, f64::exp, -87.0, 88.0);
        close(tanh_one::<true>, f64::tanh, -12.0, 12.0);
        close(erf_one::<true>, candle_core::cpu::erf::erf_f64, -6.0, 6.0);
        close(exp_one::<false>, f64::exp, -87.0, 88.0);
        close(tanh_one::<false>, f64::tanh, -12.0, 12.0);
        close(erf_one::<false>, candle_core::cpu::erf::erf_f64, -6.0, 6.0);
    }

    #[test]
    fn not_a_number_is_not_hidden() {
        for one in [exp_one::<false>, tanh_one::<false>, erf_one::<false>] {
            assert!(one(f32::NAN).is_nan());
        }
        let mut x = [f32::NAN];
        relu(&mut x);
        assert!(x[0].is_nan());
    }

    #[test]
    fn softmax_of_large_scores() {
        let mut row = [1000.0, 1000.0, -1000.0];
        softmax(&mut row);
        assert_eq!(row[..2], [0.5, 0.5]);
        assert!(row[2] < 1e-37);
    }
}
