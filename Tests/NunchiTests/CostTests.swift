import Foundation
import LanguageModels
import Testing

@testable import Nunchi
@testable import Speculation

@Suite(.serialized) struct CostTests {
  private func costs(_ seconds: [Double]) throws -> VerificationCosts {
    try VerificationCosts(
      points: zip([1, 2, 4, 8], seconds).map { VerificationCosts.Point(rows: $0, seconds: $1) })
  }

  @Test("the kernels' version is the checksum of their sources")
  func kernelsVersion() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../Sources/NunchiKernels").standardizedFileURL
    let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted()
      .filter { path in
        path != "version.c" && [".c", ".h", ".inc"].contains { path.hasSuffix($0) }
      }
    try #require(paths.count > 5)
    var checksum = Checksum64()
    for path in paths {
      checksum.append(path.utf8)
      checksum.append(try Data(contentsOf: folder.appendingPathComponent(path)))
    }
    // Where the kernels change, costs are measured anew: put the new checksum into version.c.
    #expect(ComputePool.kernelsVersion.hasPrefix("\(checksum)"))
  }

  @Test("a quarter of what was seen is taken over, and ten sights of the same are nearly all of it")
  func refined() throws {
    let stored = try costs([0.010, 0.012, 0.016, 0.024])
    let seen = try costs([0.010, 0.011, 0.020, 0.030])
    let once = try stored.refined(by: seen)
    for (index, rows) in [1, 2, 4, 8].enumerated() {
      let (from, to) = (stored.points[index].seconds, seen.points[index].seconds)
      #expect(abs(once.points[index].seconds - from * pow(to / from, 0.25)) < 1e-9, "\(rows) rows")
    }
    let often = try (0..<10).reduce(stored) { costs, _ in try costs.refined(by: seen) }
    for (found, wanted) in zip(often.points, seen.points) {
      #expect(abs(found.seconds / wanted.seconds - 1) < 0.03)
    }
    #expect(try stored.refined(by: stored).points.map(\.rows) == [1, 2, 4, 8])
  }

  @Test("one sight never changes much, and rows never cost more than one by one")
  func bounded() throws {
    let stored = try costs([0.010, 0.012, 0.016, 0.024])
    for seen in [[1.0, 1, 1, 1], [1e-6, 1e-6, 1e-6, 1e-6], [0.01, 0.5, 0.6, 90]] {
      let found = try stored.refined(by: costs(seen))
      for (old, new) in zip(stored.points, found.points) {
        #expect((0.84...1.19).contains(new.seconds / old.seconds))
        #expect(new.seconds <= found.rowSeconds * Double(new.rows) * 1.000001)
      }
    }
  }

  @Test("a controller gives what it has seen at the same numbers of rows")
  func seen() throws {
    let controller = SpeedController(costs: try costs([0.010, 0.012, 0.016, 0.024]))
    #expect(try controller.seenCosts == controller.costs)
    for rows in [1, 4, 1, 4, 1, 4, 1, 4] {
      var trace = StepTrace(phase: .round, position: 10)
      trace.rows = rows
      trace.drafted = [Int32](repeating: 1, count: rows - 1)
      trace.verifySeconds = rows == 1 ? 0.010 : 0.022
      controller.observe(trace)
    }
    let seen = try controller.seenCosts
    #expect(seen.points.map(\.rows) == [1, 2, 4, 8])
    #expect(seen.ratio(rows: 4) > controller.costs.ratio(rows: 4))
  }

  @Test(
    "what is kept is read by whoever has the same file, threads and kernels, and by nobody else")
  func store() async throws {
    let model = try await TestModels.smol.value
    let folder = NSTemporaryDirectory() + "nunchi-costs-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let (store, other) = (
      CostStore(model: model, folder: folder),
      CostStore(model: model, folder: folder, kernels: "others")
    )
    let measured = try costs([0.010, 0.012, 0.016, 0.024])
    #expect(store.read() == nil)
    store.write(measured)
    #expect(store.read() == measured && other.read() == nil)
    #expect(CostStore(model: model, folder: folder).read() == measured)
    // A file of another, put in its place, is not believed.
    other.write(measured)
    try FileManager.default.removeItem(atPath: store.path)
    try FileManager.default.copyItem(atPath: other.path, toPath: store.path)
    #expect(store.read() == nil)
    try Data("{\"costs\": [".utf8).write(to: URL(fileURLWithPath: store.path))
    #expect(store.read() == nil)
  }

  @Test("of many who write at once one is kept, whole")
  func writers() async throws {
    let model = try await TestModels.smol.value
    let folder = NSTemporaryDirectory() + "nunchi-costs-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let store = CostStore(model: model, folder: folder)
    let written = try (1...8).map { number in
      try costs([0.010, 0.012, 0.016, 0.024].map { $0 * Double(number) })
    }
    store.write(written[0])
    try await withThrowingTaskGroup(of: Void.self) { group in
      for costs in written {
        group.addTask {
          for _ in 0..<20 {
            store.write(costs)
            let found = try #require(store.read())
            #expect(written.contains(found))
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/costs").count == 1)
  }

  @Test("kernels without optimisation are warned of")
  func unoptimized() async throws {
    let warning = try #require(Model.kernelWarnings(areOptimized: false).first)
    #expect(warning.contains("-c release"))
    #expect(Model.kernelWarnings(areOptimized: true).isEmpty)
    let model = try await TestModels.smol.value
    #expect(model.loadingWarnings.contains(warning) == !ComputePool.kernelsAreOptimized)
  }
}
