import Foundation
import ModelFiles
import Nunchi

extension TrainedDrafterShelf {
  /// The drafters that come with Nunchi; nil where a program was put somewhere without them.
  public static var shipped: String? {
    ResourceFolder.url(of: "NunchiDrafters")?.appendingPathComponent("TrainedDrafters").path
  }

  /// Adds the drafters that come with Nunchi, so that `auto` drafts with them. Without them it
  /// drafts with what needs no training.
  public static func addShippedDrafters() {
    if let shipped { add(shipped) }
  }
}
