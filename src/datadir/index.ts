export { type DataDirectory, DataDirectoryError, openDataDirectory } from "./data-directory.ts";
export { deriveClusterId, deriveMemberId, formatId } from "./ids.ts";
export { type ImageOptions, openImage } from "./image.ts";
