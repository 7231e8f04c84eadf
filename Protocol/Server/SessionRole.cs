namespace Backupd.Protocol.Server;

/// <summary>The roles of the API family, by their wire number (<c>SESSION_*</c>).</summary>
public enum SessionRole
{
    /// <summary>SESSION_USER.</summary>
    User = 0,

    /// <summary>SESSION_MANAGER.</summary>
    Manager = 1,

    /// <summary>SESSION_DEALER.</summary>
    Dealer = 2,

    /// <summary>SESSION_ADMIN.</summary>
    Admin = 3,

    /// <summary>SESSION_SYSTEM.</summary>
    System = 4,

    /// <summary>SESSION_FIX.</summary>
    Fix = 5,

    /// <summary>SESSION_CUSTOMER.</summary>
    Customer = 9,

    /// <summary>SESSION_CRM_MANAGER.</summary>
    CrmManager = 10,

    /// <summary>SESSION_CRM_ADMIN.</summary>
    CrmAdmin = 11,
}
