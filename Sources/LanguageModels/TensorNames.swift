/// What a model's files call its tensors. `#` stands for the layer's index.
struct TensorNames: Sendable, Equatable {
  var embedding: String
  var finalNorm: String
  var head: String
  /// Divisors of the rotary frequencies (headDim / 2), in files that carry them.
  var rotaryDivisors: String?
  /// The linear layer that makes one state of an embedding and a state.
  var fusion = "fc.weight"
  var fusionBias = "fc.bias"

  /// Of the state, where the first layer's attention sees it beside the embedding.
  var stateNorm: String
  var attentionNorm: String
  var query, key, value, output: String
  var queryBias, keyBias, valueBias: String
  var queryNorm, keyNorm: String
  var attentionPostNorm: String
  var feedForwardNorm: String
  var gate, up, down: String
  var feedForwardPostNorm: String

  /// The names that an architecture's files use.
  init(_ architecture: any Architecture.Type, format: ModelFormat) {
    self = format == .gguf ? .gguf : .huggingFace
    architecture.rename(&self, format: format)
  }

  private init(
    embedding: String, finalNorm: String, head: String, rotaryDivisors: String?, layer: String,
    attentionNorm: String, query: String, key: String, value: String, output: String,
    queryNorm: String, keyNorm: String, attentionPostNorm: String, feedForwardNorm: String,
    gate: String, up: String, down: String, feedForwardPostNorm: String
  ) {
    self.embedding = embedding + ".weight"
    self.finalNorm = finalNorm + ".weight"
    self.head = head + ".weight"
    self.rotaryDivisors = rotaryDivisors
    stateNorm = layer + "hidden_norm.weight"
    self.attentionNorm = layer + attentionNorm + ".weight"
    self.query = layer + query + ".weight"
    self.key = layer + key + ".weight"
    self.value = layer + value + ".weight"
    self.output = layer + output + ".weight"
    queryBias = layer + query + ".bias"
    keyBias = layer + key + ".bias"
    valueBias = layer + value + ".bias"
    self.queryNorm = layer + queryNorm + ".weight"
    self.keyNorm = layer + keyNorm + ".weight"
    self.attentionPostNorm = layer + attentionPostNorm + ".weight"
    self.feedForwardNorm = layer + feedForwardNorm + ".weight"
    self.gate = layer + gate + ".weight"
    self.up = layer + up + ".weight"
    self.down = layer + down + ".weight"
    self.feedForwardPostNorm = layer + feedForwardPostNorm + ".weight"
  }

  private static let gguf = TensorNames(
    embedding: "token_embd", finalNorm: "output_norm", head: "output",
    rotaryDivisors: "rope_freqs.weight", layer: "blk.#.", attentionNorm: "attn_norm",
    query: "attn_q", key: "attn_k", value: "attn_v", output: "attn_output",
    queryNorm: "attn_q_norm", keyNorm: "attn_k_norm", attentionPostNorm: "post_attention_norm",
    feedForwardNorm: "ffn_norm", gate: "ffn_gate", up: "ffn_up", down: "ffn_down",
    feedForwardPostNorm: "post_ffw_norm")

  private static let huggingFace = TensorNames(
    embedding: "model.embed_tokens", finalNorm: "model.norm", head: "lm_head",
    rotaryDivisors: nil, layer: "model.layers.#.", attentionNorm: "input_layernorm",
    query: "self_attn.q_proj", key: "self_attn.k_proj", value: "self_attn.v_proj",
    output: "self_attn.o_proj", queryNorm: "self_attn.q_norm", keyNorm: "self_attn.k_norm",
    attentionPostNorm: "post_attention_layernorm", feedForwardNorm: "post_attention_layernorm",
    gate: "mlp.gate_proj", up: "mlp.up_proj", down: "mlp.down_proj",
    feedForwardPostNorm: "post_feedforward_layernorm")
}
