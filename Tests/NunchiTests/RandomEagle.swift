import Drafters
import Foundation
import LanguageModels
import ModelFiles

/// An EAGLE checkpoint with random weights for a real target: its drafts are nonsense, its output
/// is not to be.
struct RandomEagle {
  var version: EagleVersion
  var hidden: Int
  var vocabulary: Int
  var intermediate = 512
  var heads = 4
  var headDim = 64
  /// Rows of EAGLE-3's own head.
  var headRows = 1024

  init(_ version: EagleVersion, for target: TransformerModel) {
    self.version = version
    hidden = target.hiddenSize
    vocabulary = target.vocabularySize
  }

  /// Writes the folder; returns its path.
  func write() throws -> String {
    let folder = NSTemporaryDirectory() + "/eagle-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data(configuration.utf8).write(to: URL(fileURLWithPath: folder + "/config.json"))
    let tensors = tensors
    let writer = try SafetensorsWriter(
      path: folder + "/model.safetensors",
      tensors: tensors.map {
        TensorInfo(
          name: EagleLayout.name(of: $0.tensor, in: version),
          type: $0.tensor == .draftToTarget ? .i64 : .bf16, shape: $0.shape)
      })
    var state: UInt64 = 1
    for (tensor, shape) in tensors {
      let name = EagleLayout.name(of: tensor, in: version)
      let count = shape.reduce(1, *)
      if tensor == .draftToTarget {
        // Every 40th token.
        try writer.append((0..<Int64(count)).map { $0 * 39 }, to: name)
        continue
      }
      let scale = shape.count == 1 ? 0 : 1.5 / Float(shape[1]).squareRoot()
      let values = (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let uniform = Float(state >> 40) / Float(1 << 24)
        return shape.count == 1 ? 1 : (uniform - 0.5) * scale * 3.4
      }
      try writer.append(values, to: name)
    }
    try writer.finish()
    return folder
  }

  private var configuration: String {
    """
    {"architectures": ["\(EagleLayout.architectures(of: version)[0])"], "model_type": "llama",
     "hidden_size": \(hidden), "intermediate_size": \(intermediate), "num_hidden_layers": 1,
     "num_attention_heads": \(heads), "num_key_value_heads": \(heads / 2), "head_dim": \(headDim),
     "vocab_size": \(vocabulary), "draft_vocab_size": \(headRows), "hidden_act": "silu",
     "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 100000}
    """
  }

  private var tensors: [(tensor: EagleTensor, shape: [Int])] {
    let width = heads * headDim
    let inputs = version == .eagle1 ? hidden : 2 * hidden
    let layer: [(EagleTensor, [Int])] = [
      (.query, [width, inputs]), (.key, [width / 2, inputs]), (.value, [width / 2, inputs]),
      (.output, [hidden, width]), (.feedForwardNorm, [hidden]), (.gate, [intermediate, hidden]),
      (.up, [intermediate, hidden]), (.down, [hidden, intermediate]),
    ]
    switch version {
    case .eagle1: return layer + [(.fusion, [hidden, 2 * hidden])]
    case .eagle3:
      return layer + [
        (.fusion, [hidden, 3 * hidden]), (.embeddingNorm, [hidden]), (.stateNorm, [hidden]),
        (.outputNorm, [hidden]), (.head, [headRows, hidden]), (.draftToTarget, [headRows]),
      ]
    }
  }
}
