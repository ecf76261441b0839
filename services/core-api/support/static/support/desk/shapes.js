// What comes from chat-gateway, for editors and readers. Nothing here runs (deploy/api.md, /chat/v1/asyncapi.json).

/**
 * @typedef {object} Attachment
 * @property {string} id
 * @property {string} name
 * @property {number} size bytes
 * @property {string} content_type
 * @property {"scanning" | "ready" | "rejected"} state
 */

/**
 * @typedef {object} Message
 * @property {number} seq from 1, without gaps
 * @property {string} id
 * @property {string | null} client_id
 * @property {string} message empty: erased
 * @property {string} sender username
 * @property {string} timestamp ISO 8601, UTC
 * @property {Attachment | null} [attachment]
 */

/**
 * @typedef {object} Note
 * @property {number} note_seq a sequence of their own
 * @property {string} id
 * @property {string | null} client_id
 * @property {string} note
 * @property {string} sender username
 * @property {string} timestamp
 */

/**
 * @typedef {object} Ticket
 * @property {string} id
 * @property {number} number
 * @property {string} category slug
 * @property {string} subject empty: erased
 * @property {"queued" | "open" | "closed"} state
 * @property {string} learner username
 * @property {string} learner_id
 * @property {string | null} assignee username
 * @property {string | null} assignee_id
 * @property {string | null} lesson
 * @property {string | null} order
 * @property {number} head_seq
 * @property {number} read_seq
 * @property {number} unread others' messages beyond read_seq
 * @property {"low" | "normal" | "high" | "urgent"} priority
 * @property {string[]} tags
 * @property {{score: number, comment: string} | null} rating
 * @property {string} created_at
 * @property {string} queued_at
 * @property {string | null} closed_at
 */

/**
 * @typedef {object} Agent
 * @property {string} id
 * @property {string} username
 * @property {string} name
 * @property {"online" | "away" | "offline"} status
 * @property {number} capacity
 * @property {number} open_tickets
 * @property {string[]} categories slugs
 */

/**
 * @typedef {object} Queue
 * @property {string} slug of a category
 * @property {string} name
 * @property {number} queued
 * @property {string | null} oldest_queued_at
 */

/**
 * @typedef {object} CannedAnswer
 * @property {string} id
 * @property {string} shortcut
 * @property {string} title
 * @property {string} text
 * @property {string | null} category slug
 */

export {};
