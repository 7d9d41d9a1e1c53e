import COpenBLAS
import Foundation
import ModelFiles

extension Provenance.Versions {
  /// This program's compiler, system and BLAS.
  public static func current(nunchi: String) -> Provenance.Versions {
    Provenance.Versions(
      nunchi: nunchi, swift: swift, system: ProcessInfo.processInfo.operatingSystemVersionString,
      blas: String(cString: openblas_get_config()))
  }

  private static var swift: String {
    #if compiler(>=6.4)
      "6.4 or later"
    #elseif compiler(>=6.3)
      "6.3"
    #elseif compiler(>=6.2)
      "6.2"
    #else
      "6.1"
    #endif
  }
}

extension Provenance {
  /// The commit of the checkout that the running program lies in, with `-dirty` where tracked
  /// files differ from it; nil when it lies in none or git is not installed.
  public static func checkoutCommit() -> String? {
    guard let program = Bundle.main.executableURL?.resolvingSymlinksInPath() else { return nil }
    let folder = program.deletingLastPathComponent().path
    func git(_ arguments: [String]) -> String? {
      let git = ChildProcess(
        program: "git", arguments: ["-C", folder] + arguments, purpose: "to name the commit")
      guard let (result, text) = try? git.output(), result.status == 0 else { return nil }
      return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
    guard let commit = git(["rev-parse", "HEAD"]) else { return nil }
    let changes = git(["status", "--porcelain", "--untracked-files=no"])
    return changes == "" ? commit : commit + "-dirty"
  }
}
