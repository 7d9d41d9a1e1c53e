import Foundation

/// The folders of files that come with a target of this package. A program without them works as
/// far as it needs none, where `Bundle.module` would end it.
public enum ResourceFolder {
  /// The name that SwiftPM gives the folder.
  public static func name(of target: String) -> String { "nunchi_\(target).\(ending)" }

  /// The folder of a target, beside the program or what a link to it leads to; nil where it is not
  /// there.
  public static func url(of target: String) -> URL? {
    let main = Bundle.main
    let program = main.executableURL?.resolvingSymlinksInPath().deletingLastPathComponent()
    let places = [main.resourceURL, main.bundleURL, program]
    return places.lazy.compactMap { place in
      place.flatMap { Bundle(path: $0.appendingPathComponent(name(of: target)).path)?.resourceURL }
    }.first
  }

  #if os(macOS)
    private static let ending = "bundle"
  #else
    private static let ending = "resources"
  #endif
}
