export declare function putInPlace(folder: string, place: string): Promise<void>
