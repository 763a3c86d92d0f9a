//! Rows by index out of Candle's operations, for other devices and types.
//!
//! CUDA refuses a kernel over no numbers at all, and Candle indexes only what lies in one piece.

use candle_core::{Result, Tensor};

/// Rows `ids` of `x`.
pub fn select(x: &Tensor, ids: Vec<u32>) -> Result<Tensor> {
    let mut dims = x.dims().to_vec();
    dims[0] = ids.len();
    if dims.contains(&0) {
        return Tensor::zeros(dims, x.dtype(), x.device());
    }
    x.contiguous()?.index_select(&positions(ids, x)?, 0)
}

/// Sums of the rows of `x [N, d]`, of which row `n` belongs to sum `ids[n]`: `[count, d]`.
pub fn add_up(x: &Tensor, ids: Vec<u32>, count: usize) -> Result<Tensor> {
    let sums = Tensor::zeros((count, x.dim(1)?), x.dtype(), x.device())?;
    if x.elem_count() == 0 {
        return Ok(sums);
    }
    sums.index_add(&positions(ids, x)?, &x.contiguous()?, 0)
}

fn positions(ids: Vec<u32>, beside: &Tensor) -> Result<Tensor> {
    let count = ids.len();
    Tensor::from_vec(ids, count, beside.device())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn rows_in_pieces_and_none_at_all() -> Result<()> {
        let x = Tensor::new(&[[0f32, 1.0, 2.0], [3.0, 4.0, 5.0]], &Device::Cpu)?;
        assert_eq!(select(&x.t()?, vec![2, 0])?.to_vec2::<f32>()?, [[2.0, 5.0], [0.0, 3.0]]);
        assert_eq!(add_up(&x.t()?, vec![1, 1, 0], 2)?.to_vec2::<f32>()?, [[2.0, 5.0], [1.0, 7.0]]);
        assert_eq!(select(&x, Vec::new())?.dims(), [0, 3]);
        assert_eq!(add_up(&x.narrow(0, 0, 0)?, Vec::new(), 2)?.to_vec2::<f32>()?, [[0.0; 3]; 2]);
        Ok(())
    }
}
