import TrainingKernels

extension Graph {
  /// a + b, of one shape.
  public func add(_ a: Variable, _ b: Variable) -> Variable { combine(a, 1, b, 1) }

  /// a - b, of one shape.
  public func subtract(_ a: Variable, _ b: Variable) -> Variable { combine(a, 1, b, -1) }

  private func combine(_ a: Variable, _ p: Float, _ b: Variable, _ q: Float) -> Variable {
    precondition(a.shape == b.shape, "sum of shapes \(a.shape) and \(b.shape)")
    let y = allocate(a.shape)
    elements(y.count) { range in
      let i = range.lowerBound
      tk_combine(p, a.value.data + i, q, b.value.data + i, y.data + i, Int64(range.count))
    }
    return record(y, [a, b]) { [unowned self] dy in
      accumulate(dy, times: q, to: b)
      if p == 1 { receive(dy, a) } else { accumulate(dy, times: p, to: a) }
    }
  }

  /// The elementwise product, of one shape.
  public func multiply(_ a: Variable, _ b: Variable) -> Variable {
    precondition(a.shape == b.shape, "product of shapes \(a.shape) and \(b.shape)")
    let y = allocate(a.shape)
    elements(y.count) { range in
      let i = range.lowerBound
      tk_multiply(a.value.data + i, b.value.data + i, y.data + i, Int64(range.count), false)
    }
    return record(y, [a, b]) { [unowned self] dy in
      for (input, other) in [(a, b), (b, a)] {
        guard let dx = gradient(of: input) else { continue }
        elements(dy.count) { range in
          let i = range.lowerBound
          tk_multiply(dy.data + i, other.value.data + i, dx.data + i, Int64(range.count), dx.add)
        }
      }
    }
  }

  public func scale(_ x: Variable, by factor: Float) -> Variable {
    let y = allocate(x.shape)
    elements(y.count) { range in
      let i = range.lowerBound
      tk_scale(factor, x.value.data + i, y.data + i, Int64(range.count), false)
    }
    return record(y, [x]) { [unowned self] dy in accumulate(dy, times: factor, to: x) }
  }

  /// x · sigmoid(x)
  public func silu(_ x: Variable) -> Variable {
    activation(x, tk_silu, tk_silu_gradient)
  }

  /// GELU in its tanh form (arXiv 1606.08415).
  public func gelu(_ x: Variable) -> Variable {
    activation(x, tk_gelu, tk_gelu_gradient)
  }

  private func activation(
    _ x: Variable,
    _ function: @escaping (UnsafePointer<Float>?, UnsafeMutablePointer<Float>?, Int64) -> Void,
    _ derivative:
      @escaping (
        UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?, Int64, Bool
      ) -> Void
  ) -> Variable {
    let y = allocate(x.shape)
    elements(y.count) { range in
      let i = range.lowerBound
      function(x.value.data + i, y.data + i, Int64(range.count))
    }
    return record(y, [x]) { [unowned self] dy in
      guard let dx = gradient(of: x) else { return }
      elements(dy.count) { range in
        let i = range.lowerBound
        derivative(x.value.data + i, dy.data + i, dx.data + i, Int64(range.count), dx.add)
      }
    }
  }

  /// silu(gate) · up (arXiv 2002.05202), of one shape.
  public func swiGLU(gate: Variable, up: Variable) -> Variable {
    precondition(gate.shape == up.shape, "SwiGLU of shapes \(gate.shape) and \(up.shape)")
    let y = allocate(gate.shape)
    elements(y.count) { range in
      let i = range.lowerBound
      tk_swiglu(gate.value.data + i, up.value.data + i, y.data + i, Int64(range.count))
    }
    return record(y, [gate, up]) { [unowned self] dy in
      let dGate = gradient(of: gate)
      let dUp = gradient(of: up)
      elements(dy.count) { range in
        let i = range.lowerBound
        tk_swiglu_gradient(
          gate.value.data + i, up.value.data + i, dy.data + i, dGate.map { $0.data + i },
          dGate?.add ?? false, dUp.map { $0.data + i }, dUp?.add ?? false, Int64(range.count))
      }
    }
  }

  /// Adds `factor` times a tensor to a gradient.
  func accumulate(_ tensor: Tensor, times factor: Float, to input: Variable) {
    guard let dx = gradient(of: input) else { return }
    elements(tensor.count) { range in
      let i = range.lowerBound
      tk_scale(factor, tensor.data + i, dx.data + i, Int64(range.count), dx.add)
    }
  }
}
