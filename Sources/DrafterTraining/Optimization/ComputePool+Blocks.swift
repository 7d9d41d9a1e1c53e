import LanguageModels
import NunchiKernels
import TrainingKernels

extension ComputePool {
  /// Numbers in a block: little enough to share the work, enough to be worth a call.
  static let blockSize = 1 << 14

  /// Runs `body` on all threads for blocks of arrays of the given lengths: the array's index, the
  /// block's first element and its length. Which blocks there are does not depend on the threads.
  func forEachBlock(of lengths: [Int], _ body: (_ array: Int, _ start: Int, _ count: Int) -> Void) {
    let blocks = Self.blocks(of: lengths)
    withoutActuallyEscaping(body) { body in
      var job = Job(blocks: blocks, body: body)
      withPool { pool in
        withUnsafeMutablePointer(to: &job) { job in
          nk_pool_run(
            pool, Int64(blocks.count), 1,
            { context, _, begin, end in
              guard let job = context?.assumingMemoryBound(to: Job.self) else { return }
              // The moments of weights that are seldom used fade to numbers that are slow.
              let environment = tk_flush_denormals()
              defer { tk_restore(environment) }
              for index in Int(begin)..<Int(end) {
                let block = job.pointee.blocks[index]
                job.pointee.body(block.array, block.start, block.count)
              }
            }, job)
        }
      }
    }
  }

  static func blocks(of lengths: [Int]) -> [(array: Int, start: Int, count: Int)] {
    lengths.enumerated().flatMap { array, length in
      stride(from: 0, to: length, by: blockSize).map {
        (array, $0, min(blockSize, length - $0))
      }
    }
  }

  private struct Job {
    var blocks: [(array: Int, start: Int, count: Int)]
    var body: (Int, Int, Int) -> Void
  }
}
