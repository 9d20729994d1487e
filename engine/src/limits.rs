//! Every bound of the engine, related by const asserts.
//!
//! A bound is part of the format where two peers must agree on it (what one accepts every other
//! must accept too, or their histories part); those are marked *format*.

/// Longest url, in bytes of UTF-8. *Format.*
pub const MAX_URL_BYTES: usize = 32 * 1024;
/// Longest title, in bytes of UTF-8. *Format.*
pub const MAX_TITLE_BYTES: usize = 4 * 1024;
/// Longest payload of one entry, in bytes; room for kinds that do not exist yet. *Format.*
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;
/// Most entries in one batch. *Format.*
pub const MAX_BATCH_ENTRIES: usize = 1024;
/// Longest encoded batch, in bytes. *Format.*
pub const MAX_BATCH_BYTES: usize = 512 * 1024;
/// Longest encoded frame (one request or one response), in bytes. *Format.*
pub const MAX_FRAME_BYTES: usize = MAX_BATCH_BYTES + 128 * 1024;
/// Most authors (device incarnations) that one workspace may ever have. *Format.*
pub const MAX_AUTHORS: usize = 1024;
/// Sequences stay below this, so that arithmetic on them cannot overflow. *Format.*
pub const SEQUENCE_END: u64 = 1 << 62;
/// Longest reason that a refusal carries, in bytes of UTF-8. *Format.*
pub const MAX_REASON_BYTES: usize = 256;
/// Longest entry of a legacy log that is read, in bytes; a longer one was never written.
pub const MAX_LEGACY_BYTES: usize = 16 * 1024 * 1024;
/// Most authors with which a device still takes in the entries of a new one; the rest are kept for
/// its own names.
pub const MAX_FOREIGN_AUTHORS: usize = MAX_AUTHORS - 16;
/// Most authors that may be mentioned, by batches that were refused in the end included.
pub const MAX_NAMES: usize = 2 * MAX_AUTHORS;
/// Most bytes of batches waiting for their causes.
pub const MAX_PARKED_BYTES: usize = 4 * 1024 * 1024;
/// Most batches waiting for their causes.
pub const MAX_PARKED_BATCHES: usize = 64;
/// Most batches admitted but not yet durable; further ones are answered with `Busy`.
pub const MAX_INFLIGHT_BATCHES: usize = 16;
/// Most local entries not yet durable; further edits are refused.
pub const MAX_VOLATILE_ENTRIES: usize = 256 * 1024;
/// Most requests of other peers that wait for an answer; further ones are answered with `Busy`.
pub const MAX_OPEN_ANSWERS: usize = 64;
/// Most records loaded from the log for one outgoing batch.
pub const MAX_LOAD_RECORDS: usize = MAX_BATCH_ENTRIES;
/// Records loaded at once while a log is replayed; as many are loaded ahead.
pub const REPLAY_RECORDS: u64 = 64;
/// Events that one slow subscriber may fall behind before it is told that it lagged.
pub const MAX_QUEUED_EVENTS: usize = 1024;
/// Requests of one round that may be lost before the round gives up.
pub const MAX_LOST_CALLS: u32 = 8;
/// Pushes of one round that run ahead of their answers.
pub const MAX_OPEN_PUSHES: u32 = 4;
/// Exchanges of one round in a row that move nothing before the round gives up.
pub const MAX_ROUND_RETRIES: u32 = 40;
/// Longest snapshot that one device hands to another, in bytes. *Format.*
pub const MAX_SNAPSHOT_BYTES: usize = 256 * 1024 * 1024;
/// Longest base for which records are cut from the log, in bytes. A snapshot that is handed over
/// later holds what came since too, so half of what it may have is left for that.
pub const MAX_BASE_BYTES: usize = MAX_SNAPSHOT_BYTES / 2;
/// Log records after which a snapshot that is handed out is let go, if nobody fetched on meanwhile.
pub const MAX_OFFER_RECORDS: u64 = 1024;
/// Longest part of such a snapshot in one response, in bytes. *Format.*
pub const MAX_SNAPSHOT_PART_BYTES: usize = MAX_BATCH_BYTES;
/// Most parts in which a device takes one snapshot from another.
pub const MAX_SNAPSHOT_PARTS: usize = 16 * MAX_SNAPSHOT_BYTES / MAX_SNAPSHOT_PART_BYTES;
/// Longest answer to a round that finds both sides in step, in bytes, for any number of authors.
pub const MAX_IN_STEP_BYTES: usize = 200;

/// Least bound of a recording, in bytes.
pub const MIN_RECORDING_BYTES: usize = 64 * 1024;
/// Most bytes of a recording.
pub const MAX_RECORDING_BYTES: usize = 1024 * 1024 * 1024;

/// Most entries of one published folder that are looked at.
pub const MAX_FOLDER_ENTRIES: usize = 256 * 1024;
/// Longest published batch file, in bytes: a batch and its checksum.
pub const MAX_BATCH_FILE_BYTES: usize = MAX_BATCH_BYTES + 32;
/// Longest published `version_vector.json`, in bytes.
pub const MAX_VECTOR_FILE_BYTES: usize = 512 * 1024;
/// Most author ranges of one folder's batch files that are remembered; other files are read anew.
pub const MAX_INDEXED_RANGES: usize = 256 * 1024;

/// Devices with which connections are kept at once; one more is told to come again.
pub const MAX_CONNECTED_DEVICES: usize = 64;
/// Connections with one device: one that it dialed, one that was dialed from here.
pub const MAX_CONNECTIONS_OF_DEVICE: usize = 2;
/// Requests of the other side that one connection carries at once. A round has at most a pull and
/// [`MAX_OPEN_PUSHES`] under way.
pub const MAX_CONNECTION_STREAMS: u32 = 8;
/// Requests of all devices that are read, answered or written at once; the others wait.
pub const MAX_SERVED_REQUESTS: usize = MAX_OPEN_ANSWERS;
/// Devices that wait at once to be known or turned away; one more is told to come again.
pub const MAX_WAITING_DEVICES: usize = 64;
/// Bytes that one stream may bring before they are read: a whole frame needs no second permission.
pub const STREAM_WINDOW_BYTES: u32 = 768 * 1024;
/// Bytes that one connection may bring before they are read.
pub const CONNECTION_WINDOW_BYTES: u32 = 2 * 1024 * 1024;
/// Bytes that may be on their way to one device without its word that they came.
pub const SEND_WINDOW_BYTES: u64 = 4 * 1024 * 1024;
/// How often a connection shows that it is alive, in milliseconds.
pub const KEEP_ALIVE_MS: u32 = 3_000;
/// After how long a silent connection is taken for dead, in milliseconds.
pub const IDLE_TIMEOUT_MS: u32 = 10_000;
/// How long the making of a connection may take, in milliseconds.
pub const CONNECT_DEADLINE_MS: u64 = 15_000;
/// How long one call may take, making a connection included, in milliseconds. A slow link needs half
/// a minute for the frames of a round that are under way at once.
pub const CALL_DEADLINE_MS: u64 = 60_000;
/// How long one frame may take to come or to go, in milliseconds.
pub const FRAME_DEADLINE_MS: u64 = 45_000;
/// How long a frame may stand still on its way, in milliseconds.
pub const STALL_DEADLINE_MS: u64 = 15_000;
/// How long it may take to find out whether a device is known, in milliseconds.
pub const ADMISSION_DEADLINE_MS: u64 = 10_000;
/// How long a connection that is one too many may still be used, in milliseconds.
pub const RETIREMENT_MS: u64 = 5_000;
/// Addresses that are kept of one device.
pub const MAX_ADDRESSES: usize = 32;
/// Devices whose addresses are kept.
pub const MAX_KNOWN_DEVICES: usize = 1024;
/// How often the progress of a round is looked at, in milliseconds.
pub const PROGRESS_MS: u64 = 200;
/// Events of the network that one slow subscriber may fall behind before it is told that it lagged.
pub const MAX_NETWORK_EVENTS: usize = 256;

/// Bytes of records at which a block of the stored log is full; one longer record has a block of
/// its own.
pub const BLOCK_TARGET_BYTES: usize = 128 * 1024;
/// Longest block of the stored log, in bytes, before it is compressed.
pub const MAX_BLOCK_BYTES: usize = MAX_BATCH_BYTES + 1024;
/// Bytes of a stored snapshot that are compressed and sealed as one.
pub const SNAPSHOT_CHUNK_BYTES: usize = 256 * 1024;
/// Longest sealed value of a store, in bytes: compression makes nothing longer by more than 1 in
/// 128.
pub const MAX_SEALED_BYTES: usize = MAX_BLOCK_BYTES + MAX_BLOCK_BYTES / 128 + 128;
/// Memory that the store's database may keep pages in, in bytes.
pub const STATE_CACHE_BYTES: usize = 2 * 1024 * 1024;

/// Most successions that a device's key carries: so often it may change before they are forgotten.
/// *Format.*
pub const MAX_SUCCESSIONS: usize = 4;
/// Longest name of a device, in bytes of UTF-8. *Format.*
pub const MAX_DEVICE_NAME_BYTES: usize = 64;
/// Most addresses that one device tells another of itself while pairing. *Format.*
pub const MAX_PAIRING_ADDRESSES: usize = 16;
/// Longest URL of a relay that is told, in bytes. *Format.*
pub const MAX_RELAY_URL_BYTES: usize = 255;
/// Longest ticket, in bytes, before it is made a text. *Format.*
pub const MAX_TICKET_BYTES: usize = 4608;
/// Longest frame of a pairing, in bytes, without its length. *Format.*
pub const MAX_PAIRING_FRAME_BYTES: usize = 4608;
/// Most invitations of one device that are remembered, ended ones included.
pub const MAX_INVITATIONS: usize = 32;
/// Wrong proofs after which an invitation holds no more.
pub const MAX_WRONG_PROOFS: u32 = 3;
/// Attempts with the right proof that ended in the middle after which an invitation holds no more.
pub const MAX_BROKEN_PAIRINGS: u32 = 5;
/// Most devices at once that have connected to pair and not yet proven anything.
pub const MAX_UNPROVEN_PAIRINGS: usize = 16;
/// Bytes that a device which pairs may send ahead of what was read.
pub const PAIRING_RECEIVE_WINDOW_BYTES: u32 = 16 * 1024;
/// How long a ticket is tried after it expired by the clock of the device that joins, in
/// milliseconds: the inviter's clock counts.
pub const PAIRING_CLOCK_SKEW_MS: u64 = 10 * 60 * 1000;
/// How long a joiner waits for a connection, in seconds.
pub const PAIRING_CONNECT_SECONDS: u64 = 15;
/// How long either side waits for a frame that no user has to think about, in seconds.
pub const PAIRING_STEP_SECONDS: u64 = 10;
/// How long either side waits for both users' answers, in seconds.
pub const PAIRING_DECISION_SECONDS: u64 = 180;

/// Bytes that one entry can take beside its payload: flags, author, time, kind, length, and one
/// vector component for every author.
pub const MAX_HEADER_BYTES: usize = 64 + MAX_AUTHORS * 13;
/// Bytes of one author in a batch's table: id, base sequence, running hash.
pub const AUTHOR_ROW_BYTES: usize = 16 + 10 + 32;

const _: () = assert!(MAX_URL_BYTES + 64 <= MAX_PAYLOAD_BYTES, "the longest url fits a payload");
const _: () =
    assert!(MAX_TITLE_BYTES + 64 <= MAX_PAYLOAD_BYTES, "the longest title fits a payload");
const _: () = assert!(
    MAX_PAYLOAD_BYTES + MAX_HEADER_BYTES + MAX_AUTHORS * AUTHOR_ROW_BYTES + 64 <= MAX_BATCH_BYTES,
    "any single entry fits a batch, with every author in its table"
);
const _: () = assert!(
    MAX_BATCH_BYTES + 64 <= MAX_FRAME_BYTES
        && MAX_AUTHORS * AUTHOR_ROW_BYTES * 2 + 64 <= MAX_FRAME_BYTES,
    "a batch, and a frontier with its exclusions, fit a frame"
);
const _: () = assert!(MAX_SNAPSHOT_PART_BYTES + 64 <= MAX_FRAME_BYTES, "a part fits a frame");
const _: () = assert!(MAX_PARKED_BYTES >= MAX_BATCH_BYTES, "any batch can wait");
const _: () = assert!(
    BLOCK_TARGET_BYTES + 64 <= MAX_BLOCK_BYTES && SNAPSHOT_CHUNK_BYTES <= MAX_BLOCK_BYTES,
    "a full block and a chunk of a snapshot can be read back"
);
const _: () =
    assert!(MAX_BATCH_ENTRIES <= u16::MAX as usize + 1 && MAX_AUTHORS <= u16::MAX as usize);
const _: () = assert!(
    MAX_AUTHORS * 256 + 4096 <= MAX_VECTOR_FILE_BYTES,
    "a frontier of every author, written as JSON with a name, can be read back"
);
const _: () = assert!(
    MAX_CONNECTION_STREAMS > MAX_OPEN_PUSHES + 1 && MAX_FRAME_BYTES <= STREAM_WINDOW_BYTES as usize,
    "a round's requests fit one connection, and a frame its stream"
);
const _: () = assert!(
    STREAM_WINDOW_BYTES <= CONNECTION_WINDOW_BYTES
        && MAX_CONNECTED_DEVICES * MAX_CONNECTIONS_OF_DEVICE * CONNECTION_WINDOW_BYTES as usize
            + MAX_SERVED_REQUESTS * 2 * MAX_FRAME_BYTES
            <= 384 * 1024 * 1024,
    "what all devices together can make this one keep is bounded"
);
const _: () = assert!(
    3 * KEEP_ALIVE_MS <= IDLE_TIMEOUT_MS
        && STALL_DEADLINE_MS >= IDLE_TIMEOUT_MS as u64
        && STALL_DEADLINE_MS <= FRAME_DEADLINE_MS
        && FRAME_DEADLINE_MS <= CALL_DEADLINE_MS
        && CONNECT_DEADLINE_MS + ADMISSION_DEADLINE_MS < CALL_DEADLINE_MS,
    "a connection outlives two lost signs of life, a frame its pauses, a call its frames"
);
const _: () = assert!(
    MAX_PAIRING_ADDRESSES * (1 + 2 + MAX_RELAY_URL_BYTES) + 256 <= MAX_PAIRING_FRAME_BYTES
        && MAX_SUCCESSIONS * 256 <= MAX_PAIRING_FRAME_BYTES
        && MAX_PAIRING_FRAME_BYTES <= u16::MAX as usize
        && MAX_PAIRING_FRAME_BYTES <= PAIRING_RECEIVE_WINDOW_BYTES as usize,
    "every address that is told, and every succession, fits a frame, and that its length"
);
const _: () = assert!(
    MAX_PAIRING_ADDRESSES * (1 + 2 + MAX_RELAY_URL_BYTES) + MAX_DEVICE_NAME_BYTES + 256
        <= MAX_TICKET_BYTES,
    "every address that is told fits a ticket"
);
