/** What is there cannot be restored as asked; the message names the file or the place. */
export class BackupRefused extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = "BackupRefused";
  }
}

/** The state of this member is not the cluster's: another member has the backups that count. */
export class MemberQuarantined extends Error {
  constructor() {
    super("the member is quarantined: what it holds is not what the cluster holds");
    this.name = "MemberQuarantined";
  }
}

/** The member is closing: what was under way is given up, and no failure. */
export class BackupStopped extends Error {
  constructor() {
    super("the backup was given up, since the member is closing");
    this.name = "BackupStopped";
  }
}
